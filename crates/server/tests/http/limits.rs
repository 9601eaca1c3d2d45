//! Slow, huge and many clients; stopping.

use std::time::Duration;

use fhir::fhirpath;
use interactions::Settings;
use server::Limits;
use store_embedded::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::site::Site;

/// Far beyond what any of these should take; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends bytes on a connection of its own.
pub(crate) async fn send(site: &Site, bytes: &str) -> TcpStream {
    let mut socket = TcpStream::connect(site.address).await.expect("connects");
    socket.write_all(bytes.as_bytes()).await.expect("is taken");
    socket
}

/// Everything up to the end of the connection.
pub(crate) async fn read_all(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await;
    // A reset after the answer is an end, too.
    read.expect("the server closes").ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The status line of the next answer.
async fn read_status(socket: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let byte = timeout(PATIENCE, socket.read_u8())
            .await
            .expect("an answer");
        line.push(byte.expect("an open connection"));
    }
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// A create whose body is announced and not sent whole.
fn begun(length: usize, part: &str) -> String {
    format!(
        "POST /fhir/r4/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n\
         Content-Length: {length}\r\n\r\n{part}"
    )
}

const PATIENT: &str = "{\"resourceType\":\"Patient\"}";

#[tokio::test]
async fn slow_headers_end_the_connection() {
    let site = Site::start(Limits {
        header_read_timeout_ms: 50,
        ..Limits::default()
    })
    .await;
    let mut socket = send(&site, "GET /health/live HTTP/1.1\r\nHost: x\r\nSlow").await;
    assert_eq!(read_all(&mut socket).await, "");
}

#[tokio::test]
async fn idle_connections_end() {
    let site = Site::start(Limits {
        idle_timeout_ms: 400,
        ..Limits::default()
    })
    .await;
    let mut socket = send(&site, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = read_all(&mut socket).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("live\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn slow_bodies_are_refused() {
    let site = Site::start(Limits {
        body_read_timeout_ms: 50,
        ..Limits::default()
    })
    .await;
    let mut socket = send(&site, &begun(100, "{")).await;
    let answer = read_all(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
}

#[tokio::test]
async fn requests_end_in_time() {
    let site = Site::start(Limits {
        request_timeout_ms: 50,
        ..Limits::default()
    })
    .await;
    let mut socket = send(&site, &begun(100, "{")).await;
    let answer = read_all(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test]
async fn huge_bodies_are_refused_while_they_stream() {
    let site = Site::start(Limits {
        body_bytes_max: 1000,
        ..Limits::default()
    })
    .await;
    let json = [("content-type", "application/fhir+json")];
    let announced = site
        .ask("POST", "/fhir/r4/Patient", &json, vec![b' '; 1001])
        .await;
    assert_eq!(announced.status, 413);
    assert!(announced.text().contains("body_bytes_max"));
    let chunked = "POST /fhir/r4/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n\
                   Transfer-Encoding: chunked\r\n\r\n";
    let mut socket = send(&site, chunked).await;
    let chunk = format!("200\r\n{}\r\n", " ".repeat(0x200));
    // The third of these would be beyond the limit; there is no end.
    socket
        .write_all(chunk.repeat(3).as_bytes())
        .await
        .expect("is taken");
    let status = read_status(&mut socket).await;
    assert_eq!(status, "HTTP/1.1 413 Payload Too Large");
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends() {
    let site = Site::start(Limits::default()).await;
    let body = bytes::Bytes::from(vec![b' '; 512 << 10]);
    for (path, header, expected) in [
        ("/fhir/r4/Patient/a", ("if-match", "1"), 400),
        ("/fhir/r4/Nothing/a", ("x-any", ""), 404),
        ("/fhir/r4/Patient/a/_history", ("x-any", ""), 405),
        ("/fhir/r4/Patient/a", ("accept", "text/turtle"), 406),
        ("/fhir/r4/Patient/a", ("content-encoding", "compress"), 415),
    ] {
        for _ in 0..5 {
            let reply = site.ask("PUT", path, &[header], body.clone()).await;
            assert_eq!(reply.status, expected, "{path} {header:?}");
        }
    }
}

#[tokio::test]
async fn urls_and_headers_have_limits() {
    let limits = Limits {
        url_bytes_max: 200,
        header_bytes_max: 400,
        ..Limits::default()
    };
    let site = Site::start(limits).await;
    let long = format!("/fhir/r4/Patient?_id={}", "a".repeat(200));
    let reply = site.ask("GET", &long, &[], "").await;
    assert_eq!(
        (
            reply.status.as_u16(),
            reply.text().contains("url_bytes_max")
        ),
        (414, true)
    );
    let header = "a".repeat(400);
    let reply = site
        .ask("GET", "/fhir/r4/Patient/a", &[("x-long", &header)], "")
        .await;
    assert_eq!(
        (
            reply.status.as_u16(),
            reply.text().contains("header_bytes_max")
        ),
        (431, true)
    );
}

#[tokio::test]
async fn expressions_have_limits() {
    let settings = Settings {
        fhirpath: fhirpath::Limits {
            steps_max: 1_000,
            depth_max: 30,
            items_max: 20,
            ..fhirpath::Limits::DEFAULT
        },
        fhirpath_output_bytes_max: 400,
        ..Settings::default()
    };
    let site = Site::start_with(Limits::default(), Options::default(), settings).await;
    let ten = "(1|2|3|4|5|6|7|8|9|10)";
    let steps = format!("{ten}.select({ten}.select({ten}.count()).count()).count()");
    let depth = format!("{}1{}", "(".repeat(40), ")".repeat(40));
    let output = format!("'{}'", "long".repeat(100));
    for (expression, status, limit) in [
        ("1 + 1", 200, "valueInteger"),
        (&*steps, 422, "`fhir.fhirpath_steps_max` of 1000"),
        (
            "(1).repeat($this + 1)",
            422,
            "`fhir.fhirpath_items_max` of 20",
        ),
        (&*depth, 400, "`fhir.fhirpath_depth_max` of 30"),
        (&*output, 422, "`fhir.fhirpath_output_bytes_max` of 400"),
        ("1.trace('told').combine((2|3).trace('told'))", 200, "told"),
    ] {
        let body = format!(
            r#"{{"resourceType":"Parameters","parameter":[{{"name":"expression","valueString":"{expression}"}}]}}"#
        );
        let json = [("content-type", "application/fhir+json")];
        let reply = site.ask("POST", "/fhir/r4/$fhirpath", &json, body).await;
        let text = reply.text();
        assert_eq!(reply.status, status, "{expression}: {text}");
        assert!(text.contains(limit), "{expression}: {text}");
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_to_come_back() {
    let site = Site::start(Limits {
        requests_max: 1,
        ..Limits::default()
    })
    .await;
    let mut first = send(&site, &begun(PATIENT.len(), "{")).await;
    // Wait until the first is under way.
    loop {
        let metrics = site.ask("GET", "/metrics", &[], "").await.text();
        if metrics.contains("isthmus_http_requests_in_flight 2\n") {
            break;
        }
    }
    let refused = site.ask("GET", "/fhir/r4/Patient/a", &[], "").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(site.ask("GET", "/health/live", &[], "").await.status, 200);
    first
        .write_all(&PATIENT.as_bytes()[1..])
        .await
        .expect("is taken");
    assert_eq!(read_status(&mut first).await, "HTTP/1.1 201 Created");
    assert_eq!(
        site.ask("GET", "/fhir/r4/Patient/a", &[], "").await.status,
        404
    );
}

#[tokio::test]
async fn bodies_share_a_budget() {
    let limits = Limits {
        bodies_in_memory_bytes_max: 64 << 10,
        ..Limits::default()
    };
    let site = Site::start(limits).await;
    let part = format!("{{{}", " ".repeat(60 << 10));
    let mut first = send(&site, &begun(part.len() + PATIENT.len() - 1, &part)).await;
    loop {
        let metrics = site.ask("GET", "/metrics", &[], "").await.text();
        if metrics.contains(&format!("received_body_bytes_total {}\n", part.len())) {
            break;
        }
    }
    let json = [("content-type", "application/fhir+json")];
    let body = format!("{}{PATIENT}", " ".repeat(20 << 10));
    let refused = site
        .ask("POST", "/fhir/r4/Patient", &json, body.clone())
        .await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    first
        .write_all(&PATIENT.as_bytes()[1..])
        .await
        .expect("is taken");
    assert_eq!(read_status(&mut first).await, "HTTP/1.1 201 Created");
    let taken = site.ask("POST", "/fhir/r4/Patient", &json, body).await;
    assert_eq!(taken.status, 201, "{}", taken.text());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let site = Site::start(Limits {
        connections_max: 1,
        ..Limits::default()
    })
    .await;
    let mut first = send(&site, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(read_status(&mut first).await, "HTTP/1.1 200 OK");
    let mut second = send(
        &site,
        "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await;
    drop(first);
    assert!(read_all(&mut second).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read_are_cut() {
    let limits = Limits {
        response_write_timeout_ms: 100,
        ..Limits::default()
    };
    let site = Site::start(limits).await;
    let request = "GET /fhir/r4/metadata HTTP/1.1\r\nHost: x\r\n\r\n";
    // More answers than all buffers between the two take.
    let mut socket = send(&site, &request.repeat(200)).await;
    let cut = async {
        // Once the server waits for us it takes nothing more; then it goes.
        while socket.write_all(request.as_bytes()).await.is_ok() {}
    };
    timeout(PATIENCE, cut)
        .await
        .expect("the stalled connection is cut");
}

#[tokio::test]
async fn stopping_finishes_what_was_begun() {
    let mut site = Site::start(Limits::default()).await;
    let mut begun = send(&site, &begun(PATIENT.len(), "{")).await;
    let mut idle = send(&site, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(read_status(&mut idle).await, "HTTP/1.1 200 OK");
    while !site
        .ask("GET", "/metrics", &[], "")
        .await
        .text()
        .contains("in_flight 2\n")
    {}
    site.stop
        .take()
        .expect("running")
        .send(())
        .expect("running");
    // The idle connection ends at once, the other when its request is answered.
    read_all(&mut idle).await;
    begun
        .write_all(&PATIENT.as_bytes()[1..])
        .await
        .expect("is taken");
    assert!(
        read_all(&mut begun)
            .await
            .starts_with("HTTP/1.1 201 Created")
    );
    let stopped = timeout(PATIENCE, &mut site.task).await;
    stopped
        .expect("stops")
        .expect("without panic")
        .expect("in order");
    assert!(
        TcpStream::connect(site.address).await.is_err(),
        "nothing new is accepted"
    );
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut site = Site::start(Limits {
        shutdown_grace_ms: 50,
        ..Limits::default()
    })
    .await;
    let mut begun = send(&site, &begun(100, "{")).await;
    while !site
        .ask("GET", "/metrics", &[], "")
        .await
        .text()
        .contains("in_flight 2\n")
    {}
    site.stop
        .take()
        .expect("running")
        .send(())
        .expect("running");
    let stopped = timeout(PATIENCE, &mut site.task).await;
    stopped
        .expect("stops")
        .expect("without panic")
        .expect("in order");
    assert_eq!(read_all(&mut begun).await, "");
}
