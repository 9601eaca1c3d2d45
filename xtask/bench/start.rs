//! W9: from the start of the process to the first answer, and what it holds when nobody asks. The
//! limit is a server of the same HTTP stack that serves nothing.

use std::time::Duration;

use anyhow::Result;

use crate::Setup;
use crate::limit;
use crate::process::Server;
use crate::table::Sample;

/// How long a server is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(2);

/// Starts on an empty folder.
pub(crate) async fn measure(setup: &Setup) -> Result<Vec<Sample>> {
    let folder = setup.folder()?;
    let ours = Server::isthmus(&setup.binary, &folder.path().join("store")).await?;
    let limit = limit::start(&folder.path().join("limit"), &[]).await?;
    tokio::time::sleep(IDLE).await;
    let milliseconds = |server: &Server| server.started_in.as_secs_f64() * 1e3;
    Ok(vec![
        Sample::new(
            "W9",
            "start to first answer".to_owned(),
            "ms",
            milliseconds(&ours),
        )
        .beside(milliseconds(&limit)),
        Sample::new("W9", "idle memory".to_owned(), "MB", ours.memory_mb()?)
            .beside(limit.memory_mb()?),
    ])
}
