//! The limit of reading: a server of the same HTTP stack that has every answer in memory. It runs
//! as a process of its own, as isthmus does: `bench serve-limit FOLDER ADDRESS`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::process::{Server, free_address};

/// The first argument that makes this program the server.
pub(crate) const MODE: &str = "serve-limit";

/// What is answered when a path, with its query, is asked for.
type Pages = HashMap<String, Bytes>;

/// Starts the server on pages that are handed over as files of a folder.
pub(crate) async fn start(folder: &Path, pages: &[(String, Bytes)]) -> Result<Server> {
    std::fs::create_dir_all(folder)?;
    let mut index = String::new();
    for (number, (path, body)) in pages.iter().enumerate() {
        std::fs::write(folder.join(number.to_string()), body)?;
        index.push_str(path);
        index.push('\n');
    }
    std::fs::write(folder.join("index"), index)?;
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(MODE).arg(folder).arg(address.to_string());
    let ready = pages.first().map_or("/health/ready", |(path, _)| path);
    Server::start(command, address, folder.with_extension("log"), ready).await
}

/// Serves the pages of a folder until the process is killed.
pub(crate) async fn serve(folder: &Path, address: SocketAddr) -> Result<()> {
    let pages = Arc::new(read_pages(folder)?);
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                std::future::ready(Ok::<_, Infallible>(answer(&pages, &request)))
            });
            // A client that goes away is no fault.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn read_pages(folder: &Path) -> Result<Pages> {
    let index = std::fs::read_to_string(folder.join("index")).context("no pages")?;
    let page = |(number, path): (usize, &str)| {
        let body = std::fs::read(folder.join(number.to_string()))?;
        Ok((path.to_owned(), Bytes::from(body)))
    };
    index
        .lines()
        .enumerate()
        .map(page)
        .chain([Ok(("/health/ready".to_owned(), Bytes::new()))])
        .collect()
}

/// The headers that a FHIR read must have (R4, RESTful API, "read").
fn answer(pages: &Pages, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let asked = request.uri().path_and_query();
    let response = match asked.and_then(|it| pages.get(it.as_str())) {
        Some(body) => Response::builder()
            .header(header::CONTENT_TYPE, "application/fhir+json;charset=utf-8")
            .header(header::ETAG, "W/\"1\"")
            .header(header::LAST_MODIFIED, "Mon, 01 Jan 2024 00:00:00 GMT")
            .body(Full::new(body.clone())),
        None => Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(Full::default()),
    };
    response.expect("all parts are constant and well formed")
}
