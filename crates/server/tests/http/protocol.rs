//! What is not a table: HTTP itself, codings, backups, metrics, and that nothing is leaked to logs.

use bytes::Bytes;
use fhir::FhirVersion;
use fhir::json::{self, Document, Value};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use server::Limits;
use store::{ArchiveReader, BackupItem};

use crate::limits::{read_all, send};
use crate::site::{Reply, Site, captured};

const JSON: (&str, &str) = ("content-type", "application/fhir+json");

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let site = Site::start(Limits::default()).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    for (method, path, expected) in [
        ("GET", "/health/live", 200),
        ("GET", "/fhir/r4/Patient/none", 404),
        ("HEAD", "/fhir/r4/metadata", 200),
        ("GET", "/fhir/r4/metadata", 200),
    ] {
        let url = format!("http://{}{path}", site.address);
        let request = Request::builder()
            .method(method)
            .uri(url)
            .body(Full::<Bytes>::default());
        let response = client
            .request(request.expect("valid"))
            .await
            .expect("an answer");
        assert_eq!(
            (response.version(), response.status().as_u16()),
            (http::Version::HTTP_2, expected)
        );
        let body = response
            .into_body()
            .collect()
            .await
            .expect("whole")
            .to_bytes();
        assert_eq!(body.is_empty(), method == "HEAD", "{path}");
    }
}

#[tokio::test]
async fn requests_that_are_not_http_are_refused() {
    let site = Site::start(Limits::default()).await;
    let live = "/health/live HTTP/1.1";
    for (head, expected) in [
        (format!("GET {live}\r\n"), "400"),
        (format!("GET {live}\r\nHost: a\r\nHost: b\r\n"), "400"),
        (format!("GET {live}\r\nHost: a/b\r\n"), "400"),
        (format!("GET {live}\r\nHost: a b\r\n"), "400"),
        (format!("GET {live}\r\nHost: a\r\nBad Header: x\r\n"), "400"),
        (
            format!("GET {live}\r\nHost: a\r\nContent-Length: x\r\n"),
            "400",
        ),
        (
            "GET /fhir/r4/../../etc HTTP/1.1\r\nHost: a\r\n".to_owned(),
            "400",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n".to_owned(), "204"),
        (
            "GET http://a/health/live HTTP/1.1\r\nHost: a\r\n".to_owned(),
            "200",
        ),
        ("GET /health/live HTTP/1.0\r\n".to_owned(), "200"),
    ] {
        let mut socket = send(&site, &format!("{head}Connection: close\r\n\r\n")).await;
        let answer = read_all(&mut socket).await;
        let status = answer.split(' ').nth(1);
        assert_eq!(status, Some(expected), "{head}{answer}");
    }
}

#[tokio::test]
async fn answers_and_bodies_are_coded() {
    let site = Site::start(Limits::default()).await;
    let plain = site.ask("GET", "/fhir/r4/metadata", &[], "").await;
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let asked = [("accept-encoding", coding)];
        let coded = site.ask("GET", "/fhir/r4/metadata", &asked, "").await;
        assert_eq!(coded.headers["content-encoding"], coding);
        assert_eq!(coded.headers["vary"], "Accept, Accept-Encoding");
        assert!(coded.body.len() < plain.body.len() / 5, "{coding}");
        // What was coded one way is understood the other way: a statement can be stored.
        let headers = [
            JSON,
            ("content-encoding", coding),
            ("prefer", "return=minimal"),
        ];
        let stored = site
            .ask("POST", "/fhir/r4/CapabilityStatement", &headers, coded.body)
            .await;
        assert_eq!(stored.status, 201, "{coding}: {}", stored.text());
    }
    let small = site
        .ask(
            "GET",
            "/fhir/r4/Patient/none",
            &[("accept-encoding", "gzip")],
            "",
        )
        .await;
    assert!(!small.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn health_metrics_and_first_page_are_there() {
    let site = Site::start(Limits::default()).await;
    for (path, text) in [
        ("/", "<h1>isthmus</h1>"),
        ("/health/live", "live"),
        ("/health/ready", "ready"),
        ("/metrics", "# TYPE isthmus_http_requests_total counter"),
    ] {
        let reply = site.ask("GET", path, &[], "").await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.text().contains(text), "{path}: {}", reply.text());
    }
    let metrics = site.ask("GET", "/metrics", &[], "").await.text();
    let counted =
        "isthmus_http_requests_total{method=\"GET\",route=\"/health/live\",status=\"200\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn tenants_are_walls_and_can_be_taken_down() {
    let site = Site::start(Limits::default()).await;
    for tenant in ["a", "b"] {
        let made = site
            .ask("POST", &format!("/admin/tenants/{tenant}"), &[], "")
            .await;
        assert_eq!(made.status, 201);
    }
    let patient = r#"{"resourceType":"Patient","id":"p"}"#;
    let put = site
        .ask("PUT", "/t/a/fhir/r4/Patient/p", &[JSON], patient)
        .await;
    assert_eq!(put.status, 201);
    let location = put.headers["location"].to_str().expect("ASCII");
    assert!(
        location.ends_with("/t/a/fhir/r4/Patient/p/_history/1"),
        "{location}"
    );
    assert_eq!(
        site.ask("GET", "/t/b/fhir/r4/Patient/p", &[], "")
            .await
            .status,
        404
    );
    assert_eq!(
        site.ask("GET", "/t/a/fhir/stu3/Patient/p", &[], "")
            .await
            .status,
        404
    );
    let list = site.ask("GET", "/admin/tenants", &[], "").await.text();
    assert_eq!(list, "{\"tenants\":[\"a\",\"b\",\"default\"]}\n");
    assert_eq!(
        site.ask("DELETE", "/admin/tenants/a", &[], "").await.status,
        204
    );
    assert_eq!(
        site.ask("GET", "/t/a/fhir/r4/Patient/p", &[], "")
            .await
            .status,
        404
    );
    assert_eq!(
        site.ask("DELETE", "/admin/tenants/a", &[], "").await.status,
        404
    );
}

/// The ids of a bundle's entries, and the path of its next page.
fn page(bundle: &Reply) -> (Vec<String>, Option<String>) {
    let document = Document::parse(bundle.body.clone(), &json::Limits::DEFAULT).expect("JSON");
    let list = |name: &str| document.root().get(name).into_iter().flat_map(Value::items);
    let text = |value: Option<Value<'_>>| value.and_then(Value::as_str).map(String::from);
    let urls = list("entry").filter_map(|entry| text(entry.get("fullUrl")));
    let is_next = |link: &Value<'_>| link.get("relation").is_some_and(|it| it.is_str("next"));
    let next = list("link")
        .find(is_next)
        .and_then(|link| text(link.get("url")));
    let path = next.map(|url| url[url.find("/fhir").expect("a link of ours")..].to_owned());
    (urls.collect(), path)
}

#[tokio::test]
async fn the_union_of_the_pages_is_the_result() {
    let site = Site::start(Limits::default()).await;
    for number in 0..7 {
        let patient = format!(r#"{{"resourceType":"Patient","id":"p{number}"}}"#);
        let url = format!("/fhir/r4/Patient/p{number}");
        assert_eq!(site.ask("PUT", &url, &[JSON], patient).await.status, 201);
    }
    for first in [
        "Patient?_count=2",
        "Patient/_history?_count=3",
        "_history?_count=1&_pretty=true",
    ] {
        let (mut found, mut next) = (Vec::new(), Some(format!("/fhir/r4/{first}")));
        while let Some(path) = next {
            let reply = site.ask("GET", &path, &[], "").await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            let (urls, following) = page(&reply);
            assert!(!urls.is_empty() || following.is_none(), "{path}");
            found.extend(urls);
            next = following;
        }
        found.sort_unstable();
        let expected: Vec<_> = (0..7)
            .map(|number| format!("http://{}/fhir/r4/Patient/p{number}", site.address))
            .collect();
        assert_eq!(found, expected, "{first}");
    }
}

#[tokio::test]
async fn a_backup_is_a_whole_archive() {
    let site = Site::start(Limits::default()).await;
    for number in 0..20 {
        let patient = format!(r#"{{"resourceType":"Patient","id":"p{number}"}}"#);
        let put = site
            .ask(
                "PUT",
                &format!("/fhir/r4/Patient/p{number}"),
                &[JSON],
                patient,
            )
            .await;
        assert_eq!(put.status, 201);
    }
    let backup = site
        .ask("GET", "/admin/backup?tenant=default", &[], "")
        .await;
    assert_eq!(backup.status, 200);
    let archive = ArchiveReader::new(&backup.body[..]).expect("an archive");
    let items: Vec<_> = archive.collect::<Result<_, _>>().expect("whole");
    let versions = items
        .iter()
        .filter(|item| matches!(item, BackupItem::Version { .. }));
    assert_eq!(versions.count(), 20);
    let cut = ArchiveReader::new(&backup.body[..backup.body.len() - 1]).expect("begins well");
    assert!(
        cut.collect::<Result<Vec<_>, _>>().is_err(),
        "one cut short is noticed"
    );
}

#[tokio::test]
async fn a_load_run_is_noted_and_ends() {
    let site = Site::start(Limits::default()).await;
    let url = "/admin/loads/f1?tenant=default";
    let begun = site.ask("POST", url, &[], "").await;
    assert_eq!(begun.status, 200);
    let id = begun.text().lines().next().expect("an id").to_owned();
    assert_eq!(
        site.ask("PUT", url, &[], format!("{id}\n0,2")).await.status,
        204
    );
    assert_eq!(
        site.ask("POST", url, &[], "").await.text(),
        format!("{id}\n0,2")
    );
    assert_eq!(site.ask("DELETE", url, &[], "").await.status, 204);
    assert_ne!(
        site.ask("POST", url, &[], "").await.text().lines().next(),
        Some(&*id)
    );
}

/// What no log may hold.
const MARKER: &str = "zqmarkerqz";

/// A request that carries the marker: method, path below the base, media type, body.
type Planted = (&'static str, String, &'static str, String);

const FHIR_JSON: &str = "application/fhir+json";
const FHIR_XML: &str = "application/fhir+xml";

fn patient(rest: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{MARKER}","name":[{{"family":"{MARKER}"}}]{rest}}}"#
    )
}

fn planted_writes() -> Vec<Planted> {
    let id = || format!("Patient/{MARKER}");
    let criteria = || format!("Patient?identifier={MARKER}|{MARKER}");
    let xml = format!("<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"{MARKER}\"/></Patient>");
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"PUT","url":"Patient/{MARKER}"}},"resource":{{"resourceType":"Patient","id":"{MARKER}","gender":"{MARKER}"}}}}]}}"#
    );
    let invalid = patient(&format!(r#","birthDate":"{MARKER}","{MARKER}":1"#));
    vec![
        ("PUT", id(), FHIR_JSON, patient("")),
        ("PUT", id(), FHIR_JSON, patient(r#","active":true"#)),
        ("PUT", criteria(), FHIR_JSON, patient("")),
        ("PUT", id(), FHIR_JSON, invalid),
        ("PUT", id(), FHIR_XML, xml),
        ("PUT", id(), FHIR_XML, format!("<{MARKER}")),
        ("PUT", id(), FHIR_JSON, format!("{{\"{MARKER}")),
        ("PUT", id(), MARKER, patient("")),
        ("PUT", id(), FHIR_JSON, " ".repeat(100_001)),
        ("PATCH", id(), FHIR_JSON, "[]".to_owned()),
        ("POST", String::new(), FHIR_JSON, bundle),
        ("DELETE", criteria(), "", String::new()),
    ]
}

fn planted_reads() -> Vec<Planted> {
    let id = format!("Patient/{MARKER}");
    let form = format!("identifier={MARKER}");
    let mut all: Vec<Planted> = [
        id.clone(),
        format!("{id}/_history"),
        format!("{id}/_history/{MARKER}"),
        format!("{id}?{MARKER}={MARKER}"),
        format!("{id}?_format={MARKER}"),
        format!("{id}?_elements={MARKER}"),
        format!("Patient?identifier={MARKER}"),
        format!("Patient?{MARKER}={MARKER}"),
        format!("{MARKER}/{MARKER}"),
        format!("{id}%00"),
        format!("{id}/${MARKER}"),
    ]
    .map(|path| ("GET", path, "", String::new()))
    .into();
    all.push(("HEAD", id.clone(), "", String::new()));
    all.push((MARKER, id, "", String::new()));
    let form_type = "application/x-www-form-urlencoded";
    all.push(("POST", "Patient/_search".to_owned(), form_type, form));
    all
}

fn planted_ends() -> Vec<Planted> {
    let id = format!("Patient/{MARKER}");
    let purge = format!("{id}?_hardDelete=true");
    [
        ("DELETE", id.clone()),
        ("GET", id.clone()),
        ("DELETE", purge),
        ("GET", id),
    ]
    .map(|(method, path)| (method, path, "", String::new()))
    .into()
}

/// Plants markers wherever a client can put something, provokes every kind of answer, and looks
/// for the markers in logs and metrics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_patient_is_logged() {
    let site = Site::start(Limits {
        body_bytes_max: 100_000,
        ..Limits::default()
    })
    .await;
    let names = [
        "authorization",
        "cookie",
        "user-agent",
        "idempotency-key",
        "prefer",
        "x-any",
    ];
    for version in FhirVersion::ALL {
        let requests = [planted_writes(), planted_reads(), planted_ends()].concat();
        for (method, path, content_type, body) in requests {
            let path = format!("/fhir/{}/{path}", version.slug());
            for condition in ["if-none-exist", "if-match", "x-none"] {
                let all = names.iter().copied().chain([condition]);
                let mut headers: Vec<_> = all.map(|name| (name, MARKER)).collect();
                if !content_type.is_empty() {
                    headers.push(("content-type", content_type));
                }
                site.ask(method, &path, &headers, body.clone()).await;
            }
        }
    }
    for (method, path) in [
        ("GET", format!("/{MARKER}")),
        ("GET", format!("/t/{MARKER}/fhir/r4/Patient")),
        ("GET", format!("/fhir/{MARKER}")),
        ("DELETE", format!("/admin/tenants/{MARKER}")),
        ("GET", format!("/admin/backup?tenant={MARKER}")),
    ] {
        assert_eq!(site.ask(method, &path, &[], "").await.status, 404, "{path}");
    }
    let mut socket = send(&site, &format!("GET /{MARKER} {MARKER}\r\n\r\n")).await;
    read_all(&mut socket).await;
    let metrics = site.ask("GET", "/metrics", &[], "").await.text();
    assert!(!metrics.contains(MARKER));
    let log = captured().lock().expect("whole");
    let log = String::from_utf8_lossy(&log);
    let logged = "route=\"/fhir/{version}/{type}/{id}\" status=201";
    assert!(log.contains(logged), "requests are logged");
    let leaks: Vec<_> = log
        .lines()
        .filter(|it| it.contains(MARKER))
        .take(5)
        .collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
