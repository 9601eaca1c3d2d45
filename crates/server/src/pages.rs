//! What is neither FHIR nor administration: the first page, health, metrics.

use http::HeaderValue;
use http::request::Parts;
use http::{StatusCode, header};

use crate::answer::Answer;
use crate::links;
use crate::metrics;
use crate::rejection::Rejection;
use crate::service::App;

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The links of the first page.
const LINKS: [(&str, &str); 6] = [
    ("/fhir/r4/metadata?_pretty=true", "FHIR R4: what it can do"),
    (
        "/fhir/stu3/metadata?_pretty=true",
        "FHIR STU3: what it can do",
    ),
    ("/fhir/r4/Patient?_pretty=true", "patients (R4)"),
    (
        "/fhir/r4/_history?_pretty=true&amp;_count=10",
        "the last ten changes (R4)",
    ),
    ("/health/ready", "whether it is ready"),
    ("/metrics", "metrics"),
];

/// A page of links.
pub(crate) fn index(app: &App, head: &Parts) -> Answer {
    let origin = links::origin(head, app.config.base_url.as_deref());
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>isthmus</title>\
         <h1>isthmus</h1><p>The FHIR bases are <code>",
    );
    page.push_str(&escaped(&origin));
    page.push_str("/fhir/r4</code> and <code>/fhir/stu3</code>.</p><ul>");
    for (link, text) in LINKS {
        page.extend(["<li><a href=\"", link, "\">", text, "</a></li>"]);
    }
    page.push_str("</ul></html>\n");
    let policy = HeaderValue::from_static("default-src 'none'");
    Answer::text(HTML, page).with(header::CONTENT_SECURITY_POLICY, policy)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// Whether writes can be taken.
pub(crate) async fn ready(app: &App) -> Result<Answer, Rejection> {
    match app.interactions.store().ready().await {
        Ok(()) => Ok(Answer::text(PLAIN, "ready\n")),
        Err(error) => {
            tracing::warn!(cause = %error, "not ready");
            let answer = Answer::text(PLAIN, "not ready\n");
            Ok(Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..answer
            })
        }
    }
}

/// All metrics.
pub(crate) fn metrics(app: &App) -> Answer {
    let mut text = app.metrics.print(app.budget.received());
    metrics::print_terminology(&mut text, &app.interactions.terminology_use());
    if let Some(more) = &app.config.more_metrics {
        more(&mut text);
    }
    Answer::text(PROMETHEUS, text)
}
