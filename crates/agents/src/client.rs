//! A client of running servers: HTTP/1.1 without TLS, for the loader and for administration.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;

/// A client; keeps connections open.
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// Why no whole answer came.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request cannot be made of these parts.
    #[error("the request is malformed: {0}")]
    Malformed(#[from] http::Error),
    /// The server cannot be reached.
    #[error("the server cannot be reached: {0}")]
    Unreachable(#[from] legacy::Error),
    /// The answer ended before its end.
    #[error("the answer broke off: {0}")]
    BrokenOff(#[from] hyper::Error),
}

impl Default for Client {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let executor = hyper_util::rt::TokioExecutor::new();
        Self {
            http: legacy::Client::builder(executor).build(connector),
        }
    }
}

impl Client {
    /// Sends a request and reads the whole answer.
    pub async fn ask(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut answer = self.begin(method, url, headers, body).await?;
        Ok((answer.status, answer.rest().await?))
    }

    /// Sends a request; the answer's body is read piece by piece.
    pub async fn begin(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Streaming, ClientError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.http.request(request.body(Full::new(body))?).await?;
        Ok(Streaming {
            status: answer.status(),
            body: answer.into_body(),
        })
    }
}

/// An answer whose body is still on its way.
pub struct Streaming {
    /// The status.
    pub status: StatusCode,
    body: Incoming,
}

impl Streaming {
    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All that is left of the body.
    pub async fn rest(&mut self) -> Result<Bytes, ClientError> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }
}
