//! Absolute URLs in answers: from the setting `base_url`, else from the request's own host.

use fhir::{Fault, Issue};
use http::request::Parts;
use http::{Version, header};

use crate::router::Base;

/// The longest host that is taken over.
const HOST_BYTES_MAX: usize = 255;

/// Scheme and authority of links, without a trailing slash.
pub(crate) fn origin(head: &Parts, base_url: Option<&str>) -> String {
    match base_url {
        Some(base_url) => base_url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", host(head).unwrap_or("localhost")),
    }
}

/// The FHIR base that links begin with.
pub(crate) fn fhir_base(head: &Parts, base_url: Option<&str>, base: &Base) -> String {
    origin(head, base_url) + &base.path()
}

/// The request's host, if it has one.
pub(crate) fn host(head: &Parts) -> Option<&str> {
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| head.headers.get(header::HOST)?.to_str().ok())
}

/// Refuses a request whose `Host` is missing, doubled or no host (RFC 9112 §3.2).
pub(crate) fn check_host(head: &Parts) -> Result<(), Issue> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let optional = head.version < Version::HTTP_11 || head.uri.authority().is_some();
    let valid = match (first, second) {
        (None, _) => optional,
        (Some(host), None) => host.to_str().is_ok_and(is_host),
        (Some(_), Some(_)) => false,
    };
    if valid {
        return Ok(());
    }
    let issue = Issue::error(Fault::Invalid, "the header `host` is missing or malformed");
    Err(issue.at("http.Host").mend("send one `Host: name:port`"))
}

/// Whether the text can stand as host and port in a URL.
fn is_host(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &[&str], expected: bool) {
        let mut request = http::Request::builder().uri("/fhir/r4");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let (head, ()) = request.body(()).expect("valid").into_parts();
        assert_eq!(check_host(&head).is_ok(), expected, "{hosts:?}");
    }

    #[test]
    fn hosts_are_checked_before_links_are_made_of_them() {
        check(&["localhost:8080"], true);
        check(&["[::1]:8080"], true);
        check(&[], false);
        check(&[""], false);
        check(&["a", "b"], false);
        check(&["evil/path"], false);
        check(&["a\"><script>"], false);
    }
}
