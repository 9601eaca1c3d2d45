//! Parameters that say how an answer looks, whatever was asked: `_format`, `_pretty`, `_summary`,
//! `_elements`. <https://hl7.org/fhir/R4/http.html#parameters>

use fhir::{Fault, Issue};

use crate::query::{decode, joined, pairs, without};

/// The parameters, and the query without those that only the rim needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Controls {
    pub(crate) format: Option<String>,
    pub(crate) pretty: bool,
    pub(crate) summary: Option<String>,
    pub(crate) elements: Option<String>,
    /// The raw query without `_format` and `_pretty`.
    pub(crate) query: String,
    /// These two, raw, for links to further pages.
    pub(crate) carried: String,
}

impl Controls {
    pub(crate) fn parse(query: &str) -> Result<Self, Issue> {
        let mut controls = Self::default();
        if query.is_empty() {
            return Ok(controls);
        }
        for (name, raw) in pairs(query) {
            let value = || decode(raw).map(std::borrow::Cow::into_owned);
            match name {
                "_format" => controls.format = Some(value()?),
                "_pretty" => controls.pretty = truth("_pretty", &value()?)?,
                "_summary" => controls.summary = Some(value()?),
                "_elements" => controls.elements = Some(value()?),
                _ => continue,
            }
            if matches!(name, "_format" | "_pretty") {
                controls.carried = joined(&controls.carried, &format!("{name}={raw}"));
            }
        }
        controls.query = without(query, &["_format", "_pretty"]);
        Ok(controls)
    }

    /// Refuses parameters other than those named; `_format` and `_pretty` are always known.
    pub(crate) fn only(&self, known: &[&'static str]) -> Result<(), Issue> {
        for (name, _) in pairs(&self.query) {
            let name = decode(name)?;
            if known.contains(&&*name) {
                continue;
            }
            let issue = Issue::error(Fault::Invalid, "the URL has an unknown parameter");
            let names = known.iter().copied().chain(["_format", "_pretty"]);
            let issue = crate::router::suggest(issue, &name, names);
            return Err(match issue.remedy {
                Some(_) => issue,
                None => issue.mend("leave it out, or send `Prefer: handling=lenient`"),
            });
        }
        Ok(())
    }

    /// A parameter that is true or false, absent being false.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Issue> {
        let found = pairs(&self.query).find(|(it, _)| *it == name);
        found.map_or(Ok(false), |(_, raw)| truth(name, &decode(raw)?))
    }
}

fn truth(name: &'static str, value: &str) -> Result<bool, Issue> {
    match value {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(
            Issue::error(Fault::Value, format!("`{name}` is neither true nor false"))
                .at(format!("http.{name}")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rim_takes_its_own_and_leaves_the_rest() {
        let controls = Controls::parse("_format=xml&name=a%20b&_pretty=true&_summary=text");
        let controls = controls.expect("valid");
        assert_eq!(controls.query, "name=a%20b&_summary=text");
        assert_eq!(controls.carried, "_format=xml&_pretty=true");
        assert!(controls.pretty);
        assert_eq!(controls.summary.as_deref(), Some("text"));
        assert!(controls.only(&["name", "_summary"]).is_ok());
        assert!(controls.only(&["_summary"]).is_err());
        assert!(Controls::parse("_pretty=maybe").is_err());
        assert!(Controls::parse("_format=%").is_err());
    }
}
