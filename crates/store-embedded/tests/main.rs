//! The embedded provider keeps the contract.

use std::sync::Arc;

use async_trait::async_trait;
use store::conformance::{Provider, Setup};
use store::{Store, StoreError};
use store_embedded::{EmbeddedStore, Options};

struct Embedded;

#[async_trait]
impl Provider for Embedded {
    type Place = tempfile::TempDir;

    async fn place(&self) -> Self::Place {
        tempfile::tempdir().expect("a temporary folder can be made")
    }

    async fn open(&self, place: &Self::Place, setup: &Setup) -> Result<Arc<dyn Store>, StoreError> {
        let options = Options {
            limits: setup.limits.clone(),
            clock: Arc::clone(&setup.clock),
            ..Options::default()
        };
        Ok(Arc::new(EmbeddedStore::open(
            place.path(),
            &setup.spaces,
            options,
        )?))
    }
}

#[test]
fn keeps_the_contract() {
    store::conformance::run(Embedded);
}
