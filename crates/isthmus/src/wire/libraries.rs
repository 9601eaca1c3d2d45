//! Where channels' libraries come from: the one that is part of the program, or a folder named by its
//! path, which is read whenever it is asked for.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use agents::mllp::Libraries;
use convert::Library;
use store::TenantId;

/// The name of our own library for HL7 v2.
const OURS: &str = "isthmus";

/// Our own library, and folders of templates.
#[derive(Default)]
pub(crate) struct Known {
    ours: OnceLock<Arc<Library>>,
}

impl Libraries for Known {
    fn library(&self, _: &TenantId, name: &str) -> Result<Arc<Library>, String> {
        if name == OURS {
            let load = || Arc::new(Library::load(&convert::hl7v2_sources()));
            return Ok(Arc::clone(self.ours.get_or_init(load)));
        }
        let library = crate::command::convert::load(Path::new(name));
        library.map(Arc::new).map_err(|error| format!("{error:#}"))
    }
}
