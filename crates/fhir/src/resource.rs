//! What must be known of a resource without its definitions, and the form in which it is stored.
//!
//! The stored form is the minified JSON text with the id right after `resourceType`, `meta` right
//! after the id, and without `meta.versionId` and `meta.lastUpdated`: both are known only at the
//! commit and are inserted on the way out, at a place that a [`SpliceMark`] remembers. Two contents
//! are the same, so that an update changes nothing, exactly if their stored texts are equal byte
//! for byte; decimals keep their digits (<https://hl7.org/fhir/R4/http.html#update>).

use std::borrow::Cow;

use crate::json::{Items, Kind, Member, Value, write_minified, write_string};
use crate::{ResourceId, VersionId};

/// The parts of a resource that every interaction looks at.
#[derive(Debug, Clone)]
pub struct Facts<'d> {
    /// `resourceType`.
    pub resource_type: Cow<'d, str>,
    /// `id`.
    pub id: Option<Value<'d>>,
    /// `meta`, an object.
    pub meta: Option<Value<'d>>,
    /// `meta.versionId`.
    pub version_id: Option<Value<'d>>,
    /// `meta.lastUpdated`.
    pub last_updated: Option<Value<'d>>,
    profile: Option<Value<'d>>,
    tag: Option<Value<'d>>,
    security: Option<Value<'d>>,
}

/// The text is JSON, yet no resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAResource {
    /// It is an array, a string or the like.
    #[error("a resource is a JSON object")]
    NotAnObject,
    /// `resourceType` is absent or no string.
    #[error("a resource without `resourceType`")]
    TypeMissing,
    /// `meta` is there and no object.
    #[error("`meta` is not an object")]
    MetaNotAnObject,
}

impl<'d> Facts<'d> {
    /// Reads them from a resource; the type is not checked to exist.
    pub fn of(resource: Value<'d>) -> Result<Self, NotAResource> {
        if resource.kind() != Kind::Object {
            return Err(NotAResource::NotAnObject);
        }
        let resource_type = resource.get("resourceType").and_then(Value::as_str);
        let meta = resource.get("meta");
        if meta.is_some_and(|meta| meta.kind() != Kind::Object) {
            return Err(NotAResource::MetaNotAnObject);
        }
        let of_meta = |name| meta.and_then(|meta| meta.get(name));
        Ok(Self {
            resource_type: resource_type.ok_or(NotAResource::TypeMissing)?,
            id: resource.get("id"),
            meta,
            version_id: of_meta("versionId"),
            last_updated: of_meta("lastUpdated"),
            profile: of_meta("profile"),
            tag: of_meta("tag"),
            security: of_meta("security"),
        })
    }

    /// `meta.profile`: canonical URLs.
    pub fn profiles(&self) -> impl Iterator<Item = Value<'d>> + use<'d> {
        items(self.profile)
    }

    /// `meta.tag`: codings.
    pub fn tags(&self) -> impl Iterator<Item = Value<'d>> + use<'d> {
        items(self.tag)
    }

    /// `meta.security`: codings.
    pub fn security(&self) -> impl Iterator<Item = Value<'d>> + use<'d> {
        items(self.security)
    }
}

fn items(array: Option<Value<'_>>) -> impl Iterator<Item = Value<'_>> {
    array
        .into_iter()
        .flat_map(|array| -> Items<'_> { array.items() })
}

/// Where and how `versionId` and `lastUpdated` are inserted into a stored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpliceMark {
    /// The byte offset of the insertion.
    pub offset: u32,
    /// What has to be inserted.
    pub insert: Insert,
}

/// What has to be inserted into a stored text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insert {
    /// A whole `meta`, after the id.
    Meta,
    /// The first two members of the `meta` that is there.
    FirstMembers,
}

/// A resource in the form in which it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// The text.
    pub text: String,
    /// Where version and time go.
    pub mark: SpliceMark,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes, {:?}]", self.text.len(), self.mark)
    }
}

/// The stored form of a resource under that id, whatever id it has itself.
pub fn stored(resource: Value<'_>, id: &ResourceId) -> Result<Stored, NotAResource> {
    let facts = Facts::of(resource)?;
    let mut text = String::with_capacity(resource.span().len() + 96);
    text.push_str("{\"resourceType\":");
    write_string(&facts.resource_type, &mut text);
    text.push_str(",\"id\":");
    write_string(id.as_str(), &mut text);
    let after_id = text.len();
    let mark = match facts.meta.filter(|meta| meta.members().any(is_kept)) {
        Some(meta) => {
            text.push_str(",\"meta\":{");
            let offset = text.len();
            write_kept_members(meta, &mut text);
            SpliceMark::new(offset, Insert::FirstMembers)
        }
        None => SpliceMark::new(after_id, Insert::Meta),
    };
    for member in resource.members() {
        if !matches!(&*member.name, "resourceType" | "id" | "meta") {
            text.push(',');
            write_member(&member, &mut text);
        }
    }
    text.push('}');
    Ok(Stored { text, mark })
}

/// Whether a member of `meta` is stored. The siblings of the two that are not go with them.
fn is_kept(member: Member<'_>) -> bool {
    let name = member.name;
    !matches!(
        &*name,
        "versionId" | "lastUpdated" | "_versionId" | "_lastUpdated"
    )
}

fn write_kept_members(meta: Value<'_>, into: &mut String) {
    for (at, member) in meta.members().filter(|it| is_kept(it.clone())).enumerate() {
        if at > 0 {
            into.push(',');
        }
        write_member(&member, into);
    }
    into.push('}');
}

fn write_member(member: &Member<'_>, into: &mut String) {
    into.push_str(member.raw_name());
    into.push(':');
    write_minified(member.value, into);
}

impl SpliceMark {
    fn new(offset: usize, insert: Insert) -> Self {
        let offset = u32::try_from(offset).expect("an id and a type name are short");
        Self { offset, insert }
    }

    /// The mark of a stored text; nothing if it is not in the stored form.
    pub fn of(stored: &[u8]) -> Option<Self> {
        let rest = stored.strip_prefix(b"{\"resourceType\":\"")?;
        let rest = after_quote(rest)?.strip_prefix(b",\"id\":\"")?;
        let rest = after_quote(rest)?;
        let offset = |rest: &[u8]| stored.len() - rest.len();
        Some(match rest.strip_prefix(b",\"meta\":{") {
            Some(rest) => Self::new(offset(rest), Insert::FirstMembers),
            None => Self::new(offset(rest), Insert::Meta),
        })
    }
}

fn after_quote(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|it| *it == b'"')?;
    text.get(end + 1..)
}

/// The stored text as it goes out: with its version and the time of its commit.
///
/// # Panics
/// When the mark is not of this text: a fault of the caller.
pub fn with_meta(
    stored: &[u8],
    mark: SpliceMark,
    version: VersionId,
    last_updated: &str,
) -> Vec<u8> {
    let (before, after) = stored.split_at(mark.offset as usize);
    let version = version.0.to_string();
    let (opening, closing) = match mark.insert {
        Insert::Meta => (",\"meta\":{", "}"),
        Insert::FirstMembers => ("", ","),
    };
    let parts = [
        before,
        opening.as_bytes(),
        b"\"versionId\":\"",
        version.as_bytes(),
        b"\",\"lastUpdated\":\"",
        last_updated.as_bytes(),
        b"\"",
        closing.as_bytes(),
        after,
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::json::{Document, Limits};

    fn parse(text: impl Into<Bytes>) -> Document {
        Document::parse(text.into(), &Limits::DEFAULT).unwrap()
    }

    fn check(text: &'static str, expected_stored: &str, expected_out: &str) {
        let id = ResourceId::parse("a").unwrap();
        let form = stored(parse(text).root(), &id).unwrap();
        assert_eq!(form.text, expected_stored);
        assert_eq!(SpliceMark::of(form.text.as_bytes()), Some(form.mark));
        let out = with_meta(
            form.text.as_bytes(),
            form.mark,
            VersionId(3),
            "2020-01-01T00:00:00Z",
        );
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected_out);
        assert_eq!(
            stored(parse(out).root(), &id).unwrap(),
            form,
            "the stored form is stable"
        );
    }

    #[test]
    fn a_resource_without_meta_gets_one_on_the_way_out() {
        check(
            r#" { "active" : true, "id":"b", "resourceType": "Patient", "multipleBirthInteger":1 } "#,
            r#"{"resourceType":"Patient","id":"a","active":true,"multipleBirthInteger":1}"#,
            r#"{"resourceType":"Patient","id":"a","meta":{"versionId":"3","lastUpdated":"2020-01-01T00:00:00Z"},"active":true,"multipleBirthInteger":1}"#,
        );
        check(
            r#"{"resourceType":"Basic","meta":{"versionId":"9","lastUpdated":"x","_lastUpdated":{}}}"#,
            r#"{"resourceType":"Basic","id":"a"}"#,
            r#"{"resourceType":"Basic","id":"a","meta":{"versionId":"3","lastUpdated":"2020-01-01T00:00:00Z"}}"#,
        );
    }

    #[test]
    fn the_rest_of_meta_is_kept() {
        check(
            r#"{"resourceType":"Basic","x":1.00,"meta":{"versionId":"9", "tag":[ {"code":"a b"} ],"lastUpdated":"x","source":"y"}}"#,
            r#"{"resourceType":"Basic","id":"a","meta":{"tag":[{"code":"a b"}],"source":"y"},"x":1.00}"#,
            r#"{"resourceType":"Basic","id":"a","meta":{"versionId":"3","lastUpdated":"2020-01-01T00:00:00Z","tag":[{"code":"a b"}],"source":"y"},"x":1.00}"#,
        );
    }

    #[test]
    fn content_is_the_same_if_the_stored_texts_are() {
        let id = ResourceId::parse("a").unwrap();
        let text = |text: &'static str| stored(parse(text).root(), &id).unwrap().text;
        let left = text(r#"{"resourceType":"Basic","id":"z","meta":{"versionId":"1"},"x":1.0}"#);
        assert_eq!(
            left,
            text(r#"{"resourceType":"Basic", "x":1.0, "meta":{"versionId":"2"}}"#)
        );
        assert_ne!(left, text(r#"{"resourceType":"Basic", "x":1.00}"#));
    }

    #[test]
    fn facts_are_read_without_definitions() {
        let document = parse(
            r#"{"resourceType":"Basic","id":"z","meta":{"profile":["p","q"],"tag":[{}],"lastUpdated":"t"}}"#,
        );
        let facts = Facts::of(document.root()).unwrap();
        assert_eq!(facts.resource_type, "Basic");
        assert!(facts.id.unwrap().is_str("z"));
        assert!(facts.version_id.is_none());
        assert!(facts.last_updated.unwrap().is_str("t"));
        assert_eq!(facts.profiles().count(), 2);
        assert_eq!(facts.tags().count(), 1);
        assert_eq!(facts.security().count(), 0);
        for (text, expected) in [
            ("[]", NotAResource::NotAnObject),
            ("{}", NotAResource::TypeMissing),
            (r#"{"resourceType":1}"#, NotAResource::TypeMissing),
            (
                r#"{"resourceType":"Basic","meta":1}"#,
                NotAResource::MetaNotAnObject,
            ),
        ] {
            assert_eq!(
                Facts::of(parse(text).root()).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }
}
