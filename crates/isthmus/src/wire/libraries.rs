//! Where channels' libraries come from: by name the one that the tenant uses, or ours; by path a folder
//! of templates, which is kept until it is wanted anew.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use agents::conversion::Conversions;
use agents::mllp::{Libraries, Reading};
use async_trait::async_trait;
use convert::Library;
use store::TenantId;

/// Libraries of tenants, and folders of templates.
pub(crate) struct Known {
    conversions: Conversions,
    folders: Mutex<HashMap<String, Arc<Library>>>,
}

impl Known {
    pub(crate) fn new(conversions: Conversions) -> Self {
        Self {
            conversions,
            folders: Mutex::default(),
        }
    }

    fn folder(&self, path: &str, reading: Reading) -> Result<Arc<Library>, String> {
        let folders = || self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = folders().get(path).cloned();
        if let (Some(kept), Reading::Kept) = (kept, reading) {
            return Ok(kept);
        }
        let library = crate::command::convert::load(Path::new(path));
        let library = Arc::new(library.map_err(|error| format!("{error:#}"))?);
        folders().insert(path.to_owned(), Arc::clone(&library));
        Ok(library)
    }
}

#[async_trait]
impl Libraries for Known {
    async fn library(
        &self,
        tenant: &TenantId,
        name: &str,
        reading: Reading,
    ) -> Result<Arc<Library>, String> {
        // Names of libraries hold no separator of folders.
        if name.contains(['/', '\\']) {
            return self.folder(name, reading);
        }
        let library = self.conversions.active(tenant, name).await;
        library.map_err(|error| error.to_string())
    }
}
