//! Where channels' libraries come from: folders, named by their paths and read when they are asked for.

use std::path::Path;
use std::sync::Arc;

use agents::mllp::Libraries;
use convert::Library;
use store::TenantId;

/// Folders of templates.
pub(crate) struct Folders;

impl Libraries for Folders {
    fn library(&self, _: &TenantId, name: &str) -> Result<Arc<Library>, String> {
        let library = crate::command::convert::load(Path::new(name));
        library.map(Arc::new).map_err(|error| format!("{error:#}"))
    }
}
