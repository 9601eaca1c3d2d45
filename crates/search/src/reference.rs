//! What the text of a reference points to, given the bases of this server.
//!
//! Nothing is looked up here. <https://hl7.org/fhir/R4/references.html#literal>

use fhir::Definitions;
use fhir::reference::Reference;

/// The bases under which absolute URLs are this server's own, for one FHIR version.
#[derive(Debug, Clone, Default)]
pub struct Bases {
    bases: Vec<String>,
}

/// What a reference points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'t> {
    /// A resource of this server, whether or not it exists.
    Local {
        /// Its type.
        resource_type: &'t str,
        /// Its id.
        id: &'t str,
        /// The version, if one was named.
        version: Option<&'t str>,
    },
    /// A contained resource, or the container itself (`#`).
    Contained,
    /// Anything else: another server, a URN, a text that is no reference at all.
    Elsewhere(&'t str),
}

impl Bases {
    /// Bases as configured, with or without a slash at the end.
    pub fn new<'b>(bases: impl IntoIterator<Item = &'b str>) -> Self {
        let trimmed = bases
            .into_iter()
            .map(|base| base.trim_end_matches('/').to_owned());
        Self {
            bases: trimmed.collect(),
        }
    }

    /// What the text of a reference points to.
    pub fn target<'t>(&self, definitions: &Definitions, text: &'t str) -> Target<'t> {
        match Reference::parse(definitions, text) {
            Reference::Relative(target) => local(target),
            Reference::Absolute { base, target } if self.bases.iter().any(|it| it == base) => {
                local(target)
            }
            Reference::Fragment(_) => Target::Contained,
            _ => Target::Elsewhere(text),
        }
    }

    /// The text without one of our bases before it.
    pub fn relative<'t>(&self, text: &'t str) -> &'t str {
        let stripped = |base: &String| text.strip_prefix(base.as_str())?.strip_prefix('/');
        self.bases.iter().find_map(stripped).unwrap_or(text)
    }
}

fn local(target: fhir::reference::Target<'_>) -> Target<'_> {
    let fhir::reference::Target {
        resource_type,
        id,
        version,
    } = target;
    Target::Local {
        resource_type,
        id,
        version,
    }
}

#[cfg(test)]
mod tests {
    use fhir::FhirVersion;

    use super::*;

    #[test]
    fn texts_point_where_the_standard_says() {
        let bases = Bases::new(["http://here/fhir/r4/"]);
        let definitions = Definitions::of(FhirVersion::R4);
        let local = |resource_type, id, version| Target::Local {
            resource_type,
            id,
            version,
        };
        for (text, expected) in [
            ("Patient/1", local("Patient", "1", None)),
            ("Patient/1/_history/2", local("Patient", "1", Some("2"))),
            ("http://here/fhir/r4/Patient/1", local("Patient", "1", None)),
            ("#p", Target::Contained),
            ("#", Target::Contained),
            (
                "http://there/Patient/1",
                Target::Elsewhere("http://there/Patient/1"),
            ),
            ("urn:uuid:1", Target::Elsewhere("urn:uuid:1")),
            ("Patient", Target::Elsewhere("Patient")),
            ("Unicorn/1", Target::Elsewhere("Unicorn/1")),
            ("Patient/1/2", Target::Elsewhere("Patient/1/2")),
            ("Patient/a b", Target::Elsewhere("Patient/a b")),
            (
                "Patient?identifier=1",
                Target::Elsewhere("Patient?identifier=1"),
            ),
        ] {
            assert_eq!(bases.target(definitions, text), expected, "{text}");
        }
    }
}
