//! W6: single reads of many resources over kept connections, beside the limit.

use std::sync::Arc;

use anyhow::Result;

use crate::Setup;
use crate::limit;
use crate::load::{BASE, Loaded};
use crate::table::Sample;
use crate::turns::{Pair, Shown, answers};

const CONNECTIONS: [usize; 3] = [1, 16, 64];

/// How many resources are read in turn.
const RESOURCES_MAX: usize = 1_000;

const TURNS: usize = 10;

/// Loads a store, copies some of its answers to the limit, and reads from both.
pub(crate) async fn measure(setup: &Setup) -> Result<Vec<Sample>> {
    let store = Loaded::new(setup).await?;
    let step = store.locations.len().div_ceil(RESOURCES_MAX).max(1);
    let locations = store.locations.iter().step_by(step);
    let paths = locations.map(|location| format!("{BASE}/{location}"));
    let pages = answers(store.server.address, paths).await?;
    let limit = limit::start(&store.folder.path().join("limit"), &pages).await?;
    let paths: Arc<[String]> = pages.into_iter().map(|(path, _)| path).collect();
    let pair = Pair {
        ours: &store.server,
        limit: &limit,
    };
    let mut samples = Vec::new();
    for connections in CONNECTIONS {
        let shown = Shown {
            workload: "W6",
            what: "read".to_owned(),
            clients: format!(", {connections} connections"),
        };
        samples.extend(pair.compare(&paths, connections, TURNS, &shown).await?);
    }
    Ok(samples)
}
