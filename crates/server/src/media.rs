//! Content negotiation: which format an answer has, which a body is in.
//!
//! <https://hl7.org/fhir/R4/http.html#mime-type>, <https://hl7.org/fhir/STU3/http.html#mime-type>;
//! quality values: RFC 9110 §12.4.2. Turtle is not offered.

use fhir::{Fault, FhirVersion, Issue};
use http::{HeaderMap, header};

/// A wire format of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// `application/fhir+json`
    Json,
    /// `application/fhir+xml`
    Xml,
}

/// A media type that stands for a format, and how an answer to it is labelled.
struct MediaType {
    name: &'static str,
    format: Format,
    /// Who asks for a generic type is answered with it; older and short names become FHIR's own.
    content_type: &'static str,
}

const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const FHIR_XML: &str = "application/fhir+xml; charset=utf-8";

const fn media(name: &'static str, format: Format, content_type: &'static str) -> MediaType {
    MediaType {
        name,
        format,
        content_type,
    }
}

/// Every name of a format; the wildcards prefer JSON.
static MEDIA_TYPES: &[MediaType] = &[
    media("application/fhir+json", Format::Json, FHIR_JSON),
    media("application/fhir+xml", Format::Xml, FHIR_XML),
    media(
        "application/json",
        Format::Json,
        "application/json; charset=utf-8",
    ),
    media(
        "application/xml",
        Format::Xml,
        "application/xml; charset=utf-8",
    ),
    media("text/json", Format::Json, "text/json; charset=utf-8"),
    media("text/xml", Format::Xml, "text/xml; charset=utf-8"),
    media("application/json+fhir", Format::Json, FHIR_JSON),
    media("application/xml+fhir", Format::Xml, FHIR_XML),
    media("json", Format::Json, FHIR_JSON),
    media("xml", Format::Xml, FHIR_XML),
    media("*/*", Format::Json, FHIR_JSON),
    media("application/*", Format::Json, FHIR_JSON),
    // Browsers ask for this first; they show JSON better than a file to download.
    media("text/html", Format::Json, "application/json; charset=utf-8"),
    media("text/*", Format::Json, "text/json; charset=utf-8"),
];

/// How an answer is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The format.
    pub(crate) format: Format,
    /// The value of `Content-Type`.
    pub(crate) content_type: &'static str,
}

impl Wanted {
    /// What is written for those who do not say.
    pub(crate) const DEFAULT: Self = Self {
        format: Format::Json,
        content_type: FHIR_JSON,
    };
}

/// One media range of a header: its name in lower case and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaRange {
    pub(crate) name: String,
    parameters: Vec<(String, String)>,
    /// In thousandths.
    quality: u16,
}

impl MediaRange {
    /// Parses `type/subtype; name=value`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let name = parts.next()?.trim().to_ascii_lowercase();
        let mut range = Self {
            name,
            parameters: Vec::new(),
            quality: 1000,
        };
        for part in parts.filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = parse_quality(value)?,
                other => range.parameters.push((other.to_owned(), value.to_owned())),
            }
        }
        (!range.name.is_empty()).then_some(range)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A quality value in thousandths.
pub(crate) fn parse_quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = digits
        .then(|| format!("{fraction:0<3}"))?
        .parse::<u16>()
        .ok()?;
    match (whole, fraction) {
        ("0", _) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// The comma-separated ranges of all headers of that name; malformed ones are left out.
fn ranges(headers: &HeaderMap, name: header::HeaderName) -> Vec<MediaRange> {
    let values = headers.get_all(name);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .filter_map(MediaRange::parse)
        .collect()
}

/// The format of the answer: `_format`, else `Accept`, else JSON.
pub(crate) fn negotiate(
    headers: &HeaderMap,
    format: Option<&str>,
    version: FhirVersion,
) -> Result<Wanted, Issue> {
    if let Some(format) = format {
        return wanted_by_parameter(format, version);
    }
    match headers.get(header::ACCEPT).map(http::HeaderValue::as_bytes) {
        None | Some(b"*/*" | b"application/fhir+json") => return Ok(Wanted::DEFAULT),
        Some(_) => {}
    }
    let mut ranges = ranges(headers, header::ACCEPT);
    if ranges.is_empty() {
        return Ok(Wanted::DEFAULT);
    }
    // Stable: of equally wanted ranges the more specific, then the first one counts.
    ranges.sort_by_key(|range| (u16::MAX - range.quality, range.name.matches('*').count()));
    let acceptable = ranges.iter().filter(|range| range.quality > 0);
    let mut found = acceptable.filter_map(|range| wanted_by_range(range, version));
    found
        .next()
        .ok_or_else(|| not_acceptable(version).at("http.Accept"))
}

fn wanted_by_parameter(format: &str, version: FhirVersion) -> Result<Wanted, Issue> {
    // A `+` that was not percent-encoded has become a blank.
    let range = MediaRange::parse(
        &format
            .trim()
            .replace("fhir ", "fhir+")
            .replace(" fhir", "+fhir"),
    );
    let offered = |range: &MediaRange| !range.name.starts_with("text/html");
    range
        .filter(offered)
        .and_then(|range| wanted_by_range(&range, version))
        .ok_or_else(|| not_acceptable(version).at("http._format"))
}

fn wanted_by_range(range: &MediaRange, version: FhirVersion) -> Option<Wanted> {
    let media = MEDIA_TYPES.iter().find(|media| media.name == range.name)?;
    let speaks = |it: &str| it == version.mime_parameter();
    let (format, content_type) = (media.format, media.content_type);
    (range.parameter("fhirversion").is_none_or(speaks)).then_some(Wanted {
        format,
        content_type,
    })
}

fn not_acceptable(version: FhirVersion) -> Issue {
    Issue::error(
        Fault::NotAcceptable,
        "none of the accepted media types can be produced",
    )
    .mend(format!(
        "ask for application/fhir+json or application/fhir+xml, without fhirVersion or with {}",
        version.mime_parameter()
    ))
}

/// What a request's body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyType {
    Resource(Format),
    Form,
    /// Some other media type, as it was written; only `Binary` takes it.
    Other(String),
}

/// What `Content-Type` says of a body.
pub(crate) fn body_type(headers: &HeaderMap, version: FhirVersion) -> Result<BodyType, Issue> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Err(unsupported("the body has no `Content-Type`"));
    };
    let text = value.to_str().ok().map(str::trim);
    let range = text
        .and_then(MediaRange::parse)
        .filter(|range| is_media_type(&range.name));
    let (Some(text), Some(range)) = (text, range) else {
        return Err(unsupported("the `Content-Type` is not a media type"));
    };
    if range.name == "application/x-www-form-urlencoded" {
        return only_utf8(&range).map(|()| BodyType::Form);
    }
    let known = MEDIA_TYPES
        .iter()
        .find(|it| it.name == range.name && it.name != "text/html");
    let Some(media) = known else {
        return Ok(BodyType::Other(text.to_owned()));
    };
    only_utf8(&range)?;
    if range
        .parameter("fhirversion")
        .is_some_and(|it| it != version.mime_parameter())
    {
        let remedy = format!("this base speaks {}", version.mime_parameter());
        return Err(unsupported("the body is of another FHIR version").mend(remedy));
    }
    Ok(BodyType::Resource(media.format))
}

/// Whether a body of that media type is a resource.
pub(crate) fn is_resource(name: &str) -> bool {
    MEDIA_TYPES
        .iter()
        .any(|it| it.name == name && it.name != "text/html" && !it.name.contains('*'))
}

/// The issue about a body in a media type that is not a resource's.
pub(crate) fn unsupported_body() -> Issue {
    unsupported("the body's media type is not one of a resource")
        .mend("send application/fhir+json or application/fhir+xml")
}

/// The issue about a body of another media type than are taken.
pub(crate) fn unsupported(what: &str) -> Issue {
    Issue::error(Fault::UnsupportedMediaType, what).at("http.Content-Type")
}

fn only_utf8(range: &MediaRange) -> Result<(), Issue> {
    let utf8 = |charset: &str| {
        charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
    };
    if range.parameter("charset").is_none_or(utf8) {
        return Ok(());
    }
    Err(unsupported("the body's charset is not UTF-8").mend("encode it as UTF-8"))
}

/// Whether the text is `type/subtype` of RFC 9110's tokens, without wildcards.
pub(crate) fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.bytes().all(allowed)
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// Whether an `Accept` header prefers this media type itself over a resource's formats: a `Binary`
/// is then served as it is. <https://hl7.org/fhir/R4/binary.html#rest>
pub(crate) fn prefers_raw(headers: &HeaderMap, content_type: &str) -> bool {
    let wanted = MediaRange::parse(content_type).map_or(String::new(), |range| range.name);
    let ranges = ranges(headers, header::ACCEPT);
    let rank = |name: &str| {
        ranges
            .iter()
            .filter(|it| it.name == name)
            .map(|it| it.quality)
            .max()
    };
    let kind = wanted.split_once('/').map_or("", |(kind, _)| kind);
    let raw = [rank(&wanted), rank(&format!("{kind}/*")), rank("*/*")];
    let raw = raw.into_iter().flatten().next().unwrap_or(0);
    let fhir = ["application/fhir+json", "application/fhir+xml"].map(rank);
    let resource = fhir.into_iter().flatten().max().unwrap_or(0);
    // Nobody who names FHIR's own types wants raw bytes unless they are wanted more.
    raw > resource
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        headers
    }

    #[test]
    fn the_accept_header_chooses() {
        for (accept, expected) in [
            ("*/*", Some(FHIR_JSON)),
            ("application/fhir+xml", Some(FHIR_XML)),
            ("application/xml", Some("application/xml; charset=utf-8")),
            ("text/json", Some("text/json; charset=utf-8")),
            ("application/json+fhir", Some(FHIR_JSON)),
            (
                "application/fhir+xml;q=0.5, application/fhir+json;q=0.4",
                Some(FHIR_XML),
            ),
            (
                "application/fhir+json;q=0, application/fhir+xml",
                Some(FHIR_XML),
            ),
            ("image/png, */*;q=0.1", Some(FHIR_JSON)),
            ("application/fhir+json; fhirVersion=4.0", Some(FHIR_JSON)),
            ("application/fhir+json; fhirVersion=3.0", None),
            ("APPLICATION/FHIR+XML", Some(FHIR_XML)),
            ("image/png", None),
            ("application/fhir+turtle", None),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Some("application/json; charset=utf-8"),
            ),
        ] {
            let wanted = negotiate(&headers(header::ACCEPT, accept), None, FhirVersion::R4);
            assert_eq!(wanted.ok().map(|it| it.content_type), expected, "{accept}");
        }
    }

    #[test]
    fn the_format_parameter_overrides() {
        let accept = headers(header::ACCEPT, "application/fhir+xml");
        for (format, expected) in [
            ("json", Some(Format::Json)),
            ("xml", Some(Format::Xml)),
            ("application/fhir+json", Some(Format::Json)),
            ("application/fhir json", Some(Format::Json)),
            ("text/xml", Some(Format::Xml)),
            ("ttl", None),
            ("html", None),
            ("", None),
        ] {
            let wanted = negotiate(&accept, Some(format), FhirVersion::Stu3);
            assert_eq!(wanted.ok().map(|it| it.format), expected, "{format}");
        }
    }

    #[test]
    fn bodies_say_what_they_are() {
        for (content_type, expected) in [
            (
                "application/fhir+json",
                Ok(BodyType::Resource(Format::Json)),
            ),
            (
                "application/fhir+xml; charset=UTF-8",
                Ok(BodyType::Resource(Format::Xml)),
            ),
            (
                "application/json; charset=\"utf-8\"",
                Ok(BodyType::Resource(Format::Json)),
            ),
            ("application/x-www-form-urlencoded", Ok(BodyType::Form)),
            ("image/png", Ok(BodyType::Other("image/png".to_owned()))),
            ("application/fhir+json; charset=latin1", Err(())),
            ("application/fhir+json; fhirVersion=3.0", Err(())),
            ("nonsense", Err(())),
            ("*/*", Err(())),
        ] {
            let given = headers(header::CONTENT_TYPE, content_type);
            let found = body_type(&given, FhirVersion::R4).map_err(|_| ());
            assert_eq!(found, expected, "{content_type}");
        }
        assert!(body_type(&HeaderMap::new(), FhirVersion::R4).is_err());
    }

    #[test]
    fn binaries_are_raw_for_those_who_want_their_type() {
        for (accept, expected) in [
            ("image/png", true),
            ("image/*", true),
            ("*/*", true),
            ("application/fhir+json", false),
            ("application/fhir+json, */*;q=0.1", false),
            ("text/html", false),
        ] {
            let given = headers(header::ACCEPT, accept);
            assert_eq!(prefers_raw(&given, "image/png"), expected, "{accept}");
        }
        assert!(!prefers_raw(&HeaderMap::new(), "image/png"));
    }
}
