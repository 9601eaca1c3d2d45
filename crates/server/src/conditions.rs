//! Conditions and preferences that a request's headers state: `If-Match`, `If-None-Match`,
//! `If-Modified-Since`, `If-None-Exist`, `Prefer`.
//!
//! They are parsed here and applied where they belong: those of reads when rendering, those of
//! writes inside the commit. RFC 9110 §13, RFC 7240, <https://hl7.org/fhir/R4/http.html#ops>.

use fhir::{Fault, Instant, Issue};
use http::{HeaderMap, HeaderName, header};
use interactions::Handling;

/// An entity tag list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tags {
    pub(crate) any: bool,
    /// Without `W/` and quotes.
    pub(crate) tags: Vec<String>,
}

impl Tags {
    pub(crate) fn is_empty(&self) -> bool {
        !self.any && self.tags.is_empty()
    }

    /// As `interactions` takes them.
    pub(crate) fn into_list(self) -> Vec<String> {
        if self.any {
            vec!["*".to_owned()]
        } else {
            self.tags
        }
    }

    pub(crate) fn holds(&self, version: u64) -> bool {
        let same = |tag: &String| tag.parse() == Ok(version);
        self.any || self.tags.iter().any(same)
    }
}

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The tags of `If-Match` or `If-None-Match`.
pub(crate) fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Tags, Issue> {
    let mut tags = Tags::default();
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| malformed(name))?;
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            if tag == "*" {
                tags.any = true;
                continue;
            }
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let inner = opaque.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            let inner = inner.filter(|it| !it.is_empty() && !it.contains('"'));
            tags.tags
                .push(inner.ok_or_else(|| malformed(name))?.to_owned());
        }
    }
    let given = headers.contains_key(name);
    if given && (tags.is_empty() || tags.any && !tags.tags.is_empty()) {
        return Err(malformed(name));
    }
    Ok(tags)
}

fn malformed(name: &HeaderName) -> Issue {
    Issue::error(Fault::Invalid, format!("the header `{name}` is malformed"))
        .at(format!("http.{name}"))
        .mend("write tags as W/\"3\", separated by commas, or `*`")
}

/// The conditions of a read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadConditions {
    if_none_match: Tags,
    if_modified_since: Option<Instant>,
}

impl ReadConditions {
    pub(crate) fn parse(headers: &HeaderMap, now: impl Fn() -> Instant) -> Result<Self, Issue> {
        if !headers.contains_key(header::IF_NONE_MATCH)
            && !headers.contains_key(header::IF_MODIFIED_SINCE)
        {
            return Ok(Self::default());
        }
        let date = headers
            .get(header::IF_MODIFIED_SINCE)
            .and_then(|it| it.to_str().ok());
        Ok(Self {
            if_none_match: tags(headers, &header::IF_NONE_MATCH)?,
            // RFC 9110 §13.1.3: what is no date is ignored.
            if_modified_since: date.and_then(|it| Instant::parse_http_date(it, now())),
        })
    }

    /// Whether the client has this version already: 304.
    pub(crate) fn not_modified(&self, version: u64, last_updated: Instant) -> bool {
        if !self.if_none_match.is_empty() {
            return self.if_none_match.holds(version);
        }
        let since = self.if_modified_since;
        since.is_some_and(|since| last_updated.whole_seconds() <= since)
    }
}

/// The conditions of a write.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Vec<String>,
    /// `If-None-Match: *`
    pub(crate) only_create: bool,
    pub(crate) if_none_exist: Option<String>,
}

/// Which of the conditions an interaction understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Understood {
    Create,
    Update,
    ConditionalUpdate,
    Delete,
    Nothing,
}

impl WriteConditions {
    /// Reads the conditions; one that the interaction does not understand is refused, because to
    /// ignore it would write what the client wanted prevented.
    pub(crate) fn parse(headers: &HeaderMap, understood: Understood) -> Result<Self, Issue> {
        use Understood::{ConditionalUpdate, Create, Delete, Update};
        let refuse = |name: &HeaderName, by: &[Understood]| {
            let given = headers.contains_key(name) && !by.contains(&understood);
            let what = || format!("the header `{name}` is not supported with this interaction");
            given.then(|| Issue::error(Fault::NotSupported, what()).at(format!("http.{name}")))
        };
        let refused = refuse(&header::IF_MATCH, &[Update, ConditionalUpdate, Delete])
            .or_else(|| refuse(&header::IF_NONE_MATCH, &[Update]))
            .or_else(|| refuse(&IF_NONE_EXIST, &[Create]))
            .or_else(|| refuse(&header::IF_UNMODIFIED_SINCE, &[]));
        if let Some(issue) = refused {
            return Err(issue);
        }
        Ok(Self {
            if_match: tags(headers, &header::IF_MATCH)?.into_list(),
            only_create: only_create(headers)?,
            if_none_exist: if_none_exist(headers)?,
        })
    }
}

fn only_create(headers: &HeaderMap) -> Result<bool, Issue> {
    let tags = tags(headers, &header::IF_NONE_MATCH)?;
    if tags.tags.is_empty() {
        return Ok(tags.any);
    }
    let what = "the header `if-none-match` of an update takes `*` only";
    Err(Issue::error(Fault::NotSupported, what).at("http.If-None-Match"))
}

fn if_none_exist(headers: &HeaderMap) -> Result<Option<String>, Issue> {
    let Some(value) = headers.get(IF_NONE_EXIST) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .map(|text| text.trim().trim_start_matches('?'));
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        Issue::error(
            Fault::Invalid,
            "the header `if-none-exist` holds no criteria",
        )
        .at("http.If-None-Exist")
        .mend("write search parameters, `identifier=system|value`")
    })
}

/// `Prefer: return=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    Minimal,
    Representation,
    OperationOutcome,
}

/// The preferences that are understood; unknown ones are ignored (RFC 7240 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Preferences {
    pub(crate) returned: Option<Return>,
    pub(crate) handling: Handling,
}

impl Preferences {
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        let mut preferences = Self::default();
        let values = headers
            .get_all(PREFER)
            .iter()
            .filter_map(|it| it.to_str().ok());
        for preference in values.flat_map(|text| text.split([',', ';'])) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            match (name.trim(), value.trim().trim_matches('"')) {
                ("return", "minimal") => preferences.returned = Some(Return::Minimal),
                ("return", "representation") => {
                    preferences.returned = Some(Return::Representation);
                }
                ("return", "OperationOutcome") => {
                    preferences.returned = Some(Return::OperationOutcome);
                }
                ("handling", "lenient") => preferences.handling = Handling::Lenient,
                ("handling", "strict") => preferences.handling = Handling::Strict,
                _ => {}
            }
        }
        preferences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        headers
    }

    #[test]
    fn tags_are_weak_or_strong_and_several() {
        for (text, expected) in [
            ("W/\"1\"", Some("1")),
            ("\"1\", W/\"2\"", Some("1 2")),
            ("*", Some("*")),
            ("W/1", None),
            ("1", None),
            ("\"\"", None),
            ("*, \"1\"", None),
            (",", None),
        ] {
            let found = tags(&headers(&header::IF_MATCH, text), &header::IF_MATCH);
            let found = found.ok().map(|it| it.into_list().join(" "));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn reads_are_unmodified_by_tag_before_date() {
        let now = Instant::from_micros(1_795_428_000_500_000);
        let date = "Mon, 23 Nov 2026 10:00:00 GMT";
        let mut both = headers(&header::IF_MODIFIED_SINCE, date);
        let by_date = ReadConditions::parse(&both, || now).expect("valid");
        assert!(by_date.not_modified(1, now));
        both.insert(header::IF_NONE_MATCH, "W/\"2\"".parse().expect("valid"));
        let by_tag = ReadConditions::parse(&both, || now).expect("valid");
        assert!(by_tag.not_modified(2, now));
        assert!(!by_tag.not_modified(1, now));
    }

    #[test]
    fn conditions_that_would_be_ignored_are_refused() {
        for (name, value, understood, expected) in [
            (&IF_NONE_EXIST, "identifier=a", Understood::Create, true),
            (&IF_NONE_EXIST, "identifier=a", Understood::Update, false),
            (&IF_NONE_EXIST, "?", Understood::Create, false),
            (&header::IF_MATCH, "W/\"1\"", Understood::Update, true),
            (&header::IF_MATCH, "W/\"1\"", Understood::Create, false),
            (&header::IF_NONE_MATCH, "*", Understood::Update, true),
            (&header::IF_NONE_MATCH, "W/\"1\"", Understood::Update, false),
            (&header::IF_UNMODIFIED_SINCE, "x", Understood::Update, false),
        ] {
            let found = WriteConditions::parse(&headers(name, value), understood);
            assert_eq!(found.is_ok(), expected, "{name}: {value}");
        }
    }

    #[test]
    fn preferences_combine_and_unknown_ones_are_ignored() {
        let given = headers(
            &PREFER,
            "respond-async, return=minimal; handling=lenient, x=y",
        );
        let expected = Preferences {
            returned: Some(Return::Minimal),
            handling: Handling::Lenient,
        };
        assert_eq!(Preferences::parse(&given), expected);
    }
}
