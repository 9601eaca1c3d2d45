//! Canonical URLs, and which definition one of them asks for
//! (<https://hl7.org/fhir/R4/references.html#canonical>).

use std::fmt;

/// The URL of a definition, with a version where a certain one is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical {
    /// The URL; of a code system it is what stands in `Coding.system`.
    pub url: Box<str>,
    /// The business version, which is not the version of a stored resource.
    pub version: Option<Box<str>>,
}

/// What kind of definition a canonical URL stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A ValueSet.
    ValueSet,
    /// A CodeSystem.
    CodeSystem,
}

/// A definition that an answer was, or has to be, taken from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Of what kind.
    pub kind: SourceKind,
    /// Under which URL. Where several resources have it, the caller chooses: the current one.
    pub canonical: Canonical,
}

impl Canonical {
    /// Takes `url|version` apart.
    pub fn parse(text: &str) -> Self {
        let (url, version) = match text.rsplit_once('|') {
            Some((url, version)) => (url, Some(version)),
            None => (text, None),
        };
        Self::new(url, version)
    }

    /// A URL and its version. Some systems of the standard have a `|` in their URL, so the URL of a
    /// system is never taken apart.
    pub fn new(url: &str, version: Option<&str>) -> Self {
        Self {
            url: url.into(),
            version: version.filter(|it| !it.is_empty()).map(Into::into),
        }
    }
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        match &self.version {
            Some(version) => write!(f, "|{version}"),
            None => Ok(()),
        }
    }
}

impl Source {
    pub(super) fn value_set(canonical: &Canonical) -> Self {
        Self {
            kind: SourceKind::ValueSet,
            canonical: canonical.clone(),
        }
    }

    pub(super) fn code_system(canonical: &Canonical) -> Self {
        Self {
            kind: SourceKind::CodeSystem,
            canonical: canonical.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_versions_are_told_apart() {
        for (text, url, version) in [
            ("http://a.org/v", "http://a.org/v", None),
            ("http://a.org/v|1", "http://a.org/v", Some("1")),
            ("http://a.org/v|", "http://a.org/v", None),
            ("http://a.org/v|2.6|1", "http://a.org/v|2.6", Some("1")),
            ("", "", None),
        ] {
            let canonical = Canonical::parse(text);
            assert_eq!(
                (&*canonical.url, canonical.version.as_deref()),
                (url, version)
            );
        }
        assert_eq!(
            Canonical::parse("http://a.org/v|1").to_string(),
            "http://a.org/v|1"
        );
    }
}
