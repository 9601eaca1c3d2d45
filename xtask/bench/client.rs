//! One client: a connection that is kept alive, one request at a time, HTTP/1.1.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A client of one server.
pub(crate) struct Client {
    address: SocketAddr,
    /// The open connection, if the last request left one.
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Client {
    /// Connects with the first request.
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client {
            address,
            connection: None,
        }
    }

    /// Reads one path.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        let request = Request::get(path).header(header::HOST, self.address.to_string());
        self.send(request.body(Full::default())?).await
    }

    /// Posts FHIR JSON; the answer need not repeat what was sent.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<Answer> {
        let request = Request::post(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/fhir+json")
            .header("prefer", "return=minimal");
        self.send(request.body(Full::new(body))?).await
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(open) if !open.is_closed() => open,
            _ => connect(self.address).await?,
        };
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        self.connection = Some(connection);
        Ok(Answer { status, body })
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with the connection; whoever waits for an answer gets the error.
    tokio::spawn(connection);
    Ok(sender)
}

impl Answer {
    /// The body of a success; anything else is an error that shows what the server said.
    pub(crate) fn success(self) -> Result<Bytes> {
        if !self.status.is_success() {
            let text = String::from_utf8_lossy(&self.body);
            let start: String = text.chars().take(500).collect();
            bail!("{}: {start}", self.status);
        }
        Ok(self.body)
    }
}
