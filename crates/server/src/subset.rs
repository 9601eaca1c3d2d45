//! Parts of resources: `_summary` and `_elements`.
//!
//! A subset keeps what was asked for, everything mandatory, `id` and `meta`, and is tagged
//! `SUBSETTED` so that nobody stores it back unawares.
//! <https://hl7.org/fhir/R4/search.html#summary>, <https://hl7.org/fhir/R4/search.html#elements>

use bytes::Bytes;
use fhir::definitions::{Child, Shape};
use fhir::json::{Document, Kind, Limits, Member, Value, write_string};
use fhir::{Definitions, Fault, FhirVersion, Issue};
use interactions::Summary;

/// The summary that `_summary` and `_elements` of a read ask for.
pub(crate) fn parse(
    summary: Option<&str>,
    elements: Option<&str>,
    resource_type: &str,
    version: FhirVersion,
) -> Result<Summary, Issue> {
    match (summary, elements) {
        (None | Some("false"), None) => Ok(Summary::None),
        (Some("true"), None) => Ok(Summary::True),
        (Some("text"), None) => Ok(Summary::Text),
        (Some("data"), None) => Ok(Summary::Data),
        (None | Some("false"), Some(elements)) => {
            parse_elements(elements, resource_type, version).map(Summary::Elements)
        }
        (Some(_), None) => Err(
            Issue::error(Fault::Value, "`_summary` has no such value here")
                .at("http._summary")
                .mend("use one of true, text, data and false"),
        ),
        (Some(_), Some(_)) => {
            let what = "`_summary` and `_elements` cannot be combined";
            Err(Issue::error(Fault::Invalid, what).at("http._elements"))
        }
    }
}

fn parse_elements(
    elements: &str,
    resource_type: &str,
    version: FhirVersion,
) -> Result<Vec<String>, Issue> {
    let definitions = Definitions::of(version);
    let shape = definitions.resource(resource_type).map(|it| it.shape);
    let known = shape.map_or(&[][..], |shape| definitions.elements(shape));
    let names = elements
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let mut wanted = Vec::new();
    for name in names {
        let own = name
            .strip_prefix(resource_type)
            .and_then(|it| it.strip_prefix('.'));
        let name = own.unwrap_or(name);
        let is_known = known.iter().any(|element| element.name == name)
            || shape.is_some_and(|shape| definitions.child(shape, name).is_some());
        if !is_known {
            let issue = Issue::error(Fault::Value, "`_elements` names an unknown element");
            let issue = issue.at("http._elements");
            return Err(crate::router::suggest(
                issue,
                name,
                known.iter().map(|it| it.name),
            ));
        }
        wanted.push(name.to_owned());
    }
    Ok(wanted)
}

/// The resource's JSON, cut down to that summary.
pub(crate) fn subset(json: &Bytes, summary: &Summary, version: FhirVersion) -> Bytes {
    if *summary == Summary::None {
        return json.clone();
    }
    let limits = Limits {
        values_max: usize::MAX,
        ..Limits::DEFAULT
    };
    let Ok(document) = Document::parse(json.clone(), &limits) else {
        // Stored texts have been parsed before; should one be unreadable, it is not hidden.
        return json.clone();
    };
    let root = document.root();
    let definitions = Definitions::of(version);
    let name = root.get("resourceType").and_then(Value::as_str);
    let Some(definition) = name.and_then(|name| definitions.resource(&name)) else {
        return json.clone();
    };
    let cut = Cut {
        definitions,
        summary,
        version,
    };
    let mut text = String::with_capacity(json.len());
    cut.write_resource(root, definition.shape, &mut text);
    text.into()
}

struct Cut<'a> {
    definitions: &'static Definitions,
    summary: &'a Summary,
    version: FhirVersion,
}

impl Cut<'_> {
    fn write_resource(&self, resource: Value<'_>, shape: Shape, text: &mut String) {
        text.push('{');
        let mut has_meta = false;
        for member in resource.members() {
            match &*member.name {
                "resourceType" | "id" => raw_member(&member, text),
                "meta" => {
                    has_meta = true;
                    begin_member("meta", text);
                    self.write_meta(member.value, text);
                }
                name => {
                    let child = self.child(shape, name);
                    if child.is_some_and(|child| self.keeps(name, &child)) {
                        self.write_member(&member, child, text);
                    }
                }
            }
        }
        if !has_meta {
            begin_member("meta", text);
            text.push_str("{\"tag\":[");
            self.write_tag(text);
            text.push_str("]}");
        }
        text.push('}');
    }

    /// A sibling `_name` shares the fate of `name`.
    fn child(&self, shape: Shape, name: &str) -> Option<Child> {
        self.definitions
            .child(shape, name.strip_prefix('_').unwrap_or(name))
    }

    fn keeps(&self, name: &str, child: &Child) -> bool {
        let is_mandatory = child.element.min > 0;
        match self.summary {
            Summary::None => true,
            Summary::True => is_mandatory || child.element.is_summary,
            Summary::Text => is_mandatory || name == "text",
            Summary::Data => name != "text",
            Summary::Count => false,
            Summary::Elements(names) => {
                let wanted = |it: &String| it == child.element.name || it == name;
                is_mandatory || names.iter().any(wanted)
            }
        }
    }

    fn write_member(&self, member: &Member<'_>, child: Option<Child>, text: &mut String) {
        let nested = child.filter(|_| *self.summary == Summary::True);
        let Some(child) = nested.filter(|child| !is_kept_whole(child, &member.name)) else {
            return raw_member(member, text);
        };
        begin_member(&member.name, text);
        self.write_summary(member.value, child.chosen.shape, text);
    }

    /// Of a value inside a summary element only summary elements are part of the summary.
    fn write_summary(&self, value: Value<'_>, shape: Shape, text: &mut String) {
        match value.kind() {
            Kind::Array => {
                text.push('[');
                for (at, item) in value.items().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    self.write_summary(item, shape, text);
                }
                text.push(']');
            }
            Kind::Object => {
                let kept = |member: &Member<'_>| {
                    let child = self.child(shape, &member.name);
                    child.is_some_and(|child| self.keeps(&member.name, &child))
                };
                if !value.members().any(|member| kept(&member)) {
                    // Nothing of it is marked: an empty object would not be FHIR.
                    return text.push_str(value.raw());
                }
                text.push('{');
                for member in value.members().filter(kept) {
                    self.write_member(&member, self.child(shape, &member.name), text);
                }
                text.push('}');
            }
            _ => text.push_str(value.raw()),
        }
    }

    fn write_meta(&self, meta: Value<'_>, text: &mut String) {
        text.push('{');
        let mut has_tag = false;
        for member in meta.members() {
            if member.name != "tag" {
                raw_member(&member, text);
                continue;
            }
            has_tag = true;
            begin_member("tag", text);
            let tags = member.value.raw();
            let inner = tags.strip_suffix(']').unwrap_or(tags);
            text.push_str(inner);
            if member.value.items().next().is_some() {
                text.push(',');
            }
            self.write_tag(text);
            text.push(']');
        }
        if !has_tag {
            begin_member("tag", text);
            text.push('[');
            self.write_tag(text);
            text.push(']');
        }
        text.push('}');
    }

    fn write_tag(&self, text: &mut String) {
        let system = match self.version {
            FhirVersion::Stu3 => "http://hl7.org/fhir/v3/ObservationValue",
            FhirVersion::R4 => "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        };
        text.push_str("{\"system\":\"");
        text.push_str(system);
        text.push_str("\",\"code\":\"SUBSETTED\"}");
    }
}

/// Modifiers change the meaning of what they stand in, a sibling is only data about a value, and
/// a resource inside another has its own definition.
fn is_kept_whole(child: &Child, name: &str) -> bool {
    name.starts_with('_')
        || matches!(child.element.name, "modifierExtension" | "extension")
        || child.chosen.name == "Resource"
}

fn begin_member(name: &str, text: &mut String) {
    if !text.ends_with('{') {
        text.push(',');
    }
    write_string(name, text);
    text.push(':');
}

fn raw_member(member: &Member<'_>, text: &mut String) {
    begin_member(&member.name, text);
    text.push_str(member.value.raw());
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = concat!(
        r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"1","tag":[{"code":"t"}]},"#,
        r#""text":{"status":"empty","div":"<div/>"},"active":true,"_active":{"id":"x"},"#,
        r#""name":[{"family":"Doe","extension":[{"url":"u","valueCode":"c"}]}],"#,
        r#""contact":[{"gender":"male"}],"photo":[{"url":"p","data":"AAAA"}],"#,
        r#""link":[{"other":{"reference":"Patient/b"},"type":"refer"}]}"#
    );

    const TAG: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

    fn check(summary: &Summary, expected: &str) {
        let cut = subset(
            &Bytes::from_static(PATIENT.as_bytes()),
            summary,
            FhirVersion::R4,
        );
        let head = format!(
            r#"{{"resourceType":"Patient","id":"a","meta":{{"versionId":"1","tag":[{{"code":"t"}},{TAG}]}}"#
        );
        let rest = std::str::from_utf8(&cut).expect("UTF-8");
        assert_eq!(rest.strip_prefix(&head), Some(expected));
    }

    #[test]
    fn summaries_keep_what_the_definition_marks() {
        check(
            &Summary::True,
            concat!(
                r#","active":true,"_active":{"id":"x"},"name":[{"family":"Doe"}],"#,
                r#""link":[{"other":{"reference":"Patient/b"},"type":"refer"}]}"#
            ),
        );
    }

    #[test]
    fn text_and_data_divide_a_resource() {
        check(
            &Summary::Text,
            r#","text":{"status":"empty","div":"<div/>"}}"#,
        );
        let cut = subset(
            &Bytes::from_static(PATIENT.as_bytes()),
            &Summary::Data,
            FhirVersion::R4,
        );
        let cut = std::str::from_utf8(&cut).expect("UTF-8");
        assert!(!cut.contains("<div/>") && cut.contains("AAAA"));
    }

    #[test]
    fn elements_are_kept_by_name() {
        let names = parse(
            None,
            Some("active,Patient.contact"),
            "Patient",
            FhirVersion::R4,
        );
        check(
            &names.expect("known"),
            r#","active":true,"_active":{"id":"x"},"contact":[{"gender":"male"}]}"#,
        );
        for (elements, expected) in [("nane", Some("did you mean `name`?")), ("qqqq", None)] {
            let issue = parse(None, Some(elements), "Patient", FhirVersion::R4);
            assert_eq!(issue.expect_err("unknown").remedy.as_deref(), expected);
        }
    }

    #[test]
    fn a_resource_without_meta_gets_the_tag_of_its_version() {
        let basic = Bytes::from_static(br#"{"resourceType":"Basic","id":"a"}"#);
        let cut = subset(&basic, &Summary::Data, FhirVersion::Stu3);
        assert_eq!(
            cut,
            concat!(
                r#"{"resourceType":"Basic","id":"a","meta":{"tag":[{"#,
                r#""system":"http://hl7.org/fhir/v3/ObservationValue","code":"SUBSETTED"}]}}"#
            )
        );
    }
}
