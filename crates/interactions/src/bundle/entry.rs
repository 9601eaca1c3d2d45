//! One entry of a batch or transaction: its method and URL as a typed interaction.
//!
//! <https://hl7.org/fhir/R4/bundle.html#transaction>; STU3 has neither PATCH nor HEAD
//! (<https://hl7.org/fhir/STU3/valueset-http-verb.html>).

use fhir::json::Value;
use fhir::{Definitions, Fault, FhirVersion, Issue, ResourceId};
use search::reference::Bases;
use store::HistoryOrder;

use crate::job::Intent;
use crate::operations::{self, CalledOn, Effect, Operation};
use crate::{HistoryQuery, HistoryScope, InteractionError, ResourceKey, Within};

/// An entry, understood.
pub(crate) struct Entry {
    /// Its number.
    pub(crate) at: usize,
    /// Its `fullUrl`.
    pub(crate) full_url: Option<Box<str>>,
    /// What it asks for.
    pub(crate) call: Call,
}

/// What an entry asks for.
pub(crate) enum Call {
    /// To change something.
    Write(Intent),
    /// To see something.
    Fetch(Fetch),
}

/// What a GET entry asks for.
pub(crate) enum Fetch {
    /// Read, or vread of a version.
    Read {
        key: ResourceKey,
        version: Option<String>,
        if_none_match: Vec<String>,
    },
    History(HistoryQuery),
    Search(Within, String),
    /// An operation, with the query of its URL; by POST it has the entry's resource, too.
    Operate {
        operation: &'static Operation,
        on: CalledOn,
        query: String,
        takes_body: bool,
    },
}

/// What entries are read against.
pub(crate) struct Context<'c> {
    pub(crate) definitions: &'static Definitions,
    pub(crate) bases: &'c Bases,
}

/// Lets a conditional DELETE delete several; not a criterion.
const SEVERAL: &str = "_multiple=true";

/// The place of an entry in its bundle.
pub(crate) fn place(at: usize) -> String {
    format!("Bundle.entry[{at}]")
}

/// A request's parts.
struct Request<'r> {
    method: &'r str,
    segments: Vec<&'r str>,
    query: Option<&'r str>,
    if_match: Vec<String>,
    if_none_match: Vec<String>,
    if_none_exist: Option<String>,
}

impl Context<'_> {
    /// The fault of a method that this FHIR version does not have, with the reason.
    pub(crate) fn unknown_method(&self, at: usize, entry: Value<'_>) -> Option<Issue> {
        let method = entry.get("request")?.get("method")?.as_str()?;
        let is_later = matches!(&*method, "PATCH" | "HEAD");
        if !is_later || self.definitions.version() != FhirVersion::Stu3 {
            return None;
        }
        let what = format!("FHIR STU3 knows no `{method}` in a bundle (value set `http-verb`)");
        let issue = Issue::error(Fault::Value, what).at(format!("{}.request.method", place(at)));
        Some(issue.mend("use GET, POST, PUT or DELETE, or send it as a request of its own"))
    }

    /// Understands an entry.
    pub(crate) fn read(&self, at: usize, entry: Value<'_>) -> Result<Entry, InteractionError> {
        let text = |name: &str| entry.get("request")?.get(name)?.as_str();
        let (Some(method), Some(url)) = (text("method"), text("url")) else {
            let issue = Issue::error(
                Fault::Required,
                "the entry has no `request` with method and URL",
            );
            return Err(issue.at(format!("{}.request", place(at))).into());
        };
        let (path, query) = match self.bases.relative(&url).split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.bases.relative(&url), None),
        };
        let path = path.trim_matches('/');
        let request = Request {
            method: &method,
            segments: if path.is_empty() {
                Vec::new()
            } else {
                path.split('/').collect()
            },
            query,
            if_match: text("ifMatch").map(|it| tags(&it)).unwrap_or_default(),
            if_none_match: text("ifNoneMatch").map(|it| tags(&it)).unwrap_or_default(),
            if_none_exist: text("ifNoneExist").map(|it| it.trim_start_matches('?').to_owned()),
        };
        let call = self
            .call(request)
            .map_err(|issue| issue.at(format!("{}.request.{}", place(at), "url")))?;
        if matches!(&call, Call::Write(intent) if super::has_resource(intent))
            && entry.get("resource").is_none()
        {
            let issue = Issue::error(
                Fault::Required,
                format!("a `{method}` entry without a resource"),
            );
            return Err(issue.at(format!("{}.resource", place(at))).into());
        }
        let full_url = entry
            .get("fullUrl")
            .and_then(Value::as_str)
            .map(|it| Box::from(&*it));
        Ok(Entry { at, full_url, call })
    }

    fn call(&self, request: Request<'_>) -> Result<Call, Issue> {
        if let Some(code) = request.segments.last().and_then(|it| it.strip_prefix('$')) {
            return self.operation(&request, code).map(Call::Fetch);
        }
        match request.method {
            "GET" | "HEAD" => self.fetch(&request).map(Call::Fetch),
            "POST" => self.create(request).map(Call::Write),
            "PUT" => self.update(request).map(Call::Write),
            "DELETE" => self.delete(request).map(Call::Write),
            "PATCH" => Err(Issue::error(
                Fault::NotSupported,
                "`PATCH` is not offered yet",
            )),
            _ => Err(Issue::error(
                Fault::Value,
                "the entry's method does not exist",
            )),
        }
    }

    /// An operation changes something only by a request of its own, where it is one commit.
    fn operation(&self, request: &Request<'_>, code: &str) -> Result<Fetch, Issue> {
        let on = match request.segments[..] {
            [_] => CalledOn::System,
            [name, _] => CalledOn::Type(self.resource_type(name)?),
            [name, id, _] => CalledOn::Instance(self.key(name, id)?),
            _ => return Err(malformed(request.method, "Type/id/$operation")),
        };
        let operation = operations::find(self.definitions.version(), &on, code)?;
        let takes_body = match request.method {
            "GET" | "HEAD" => false,
            "POST" => true,
            _ => return Err(malformed(request.method, "Type/id")),
        };
        if operation.effect == Effect::Changes {
            let what = "an operation that changes something is not offered in bundles";
            return Err(Issue::error(Fault::NotSupported, what).mend("call it by itself"));
        }
        Ok(Fetch::Operate {
            operation,
            on,
            query: request.query.unwrap_or_default().to_owned(),
            takes_body,
        })
    }

    fn create(&self, request: Request<'_>) -> Result<Intent, Issue> {
        match (&request.segments[..], request.query) {
            ([name], None) => {
                let resource_type = self.resource_type(name)?.into();
                Ok(Intent::Create {
                    resource_type,
                    if_none_exist: request.if_none_exist,
                })
            }
            ([.., "_search"], _) => Err(Issue::error(
                Fault::NotSupported,
                "`_search` in bundles is not offered yet",
            )
            .mend("use GET")),
            _ => Err(malformed("POST", "Type")),
        }
    }

    fn update(&self, request: Request<'_>) -> Result<Intent, Issue> {
        let Request {
            segments,
            query,
            if_match,
            if_none_match,
            ..
        } = request;
        match (&segments[..], query) {
            ([name, id], None) => Ok(Intent::Update {
                key: self.key(name, id)?,
                if_match,
                only_create: if_none_match == ["*"],
            }),
            ([name], Some(query)) => {
                let (resource_type, criteria) =
                    (self.resource_type(name)?.into(), query.to_owned());
                Ok(Intent::UpdateWhere {
                    resource_type,
                    criteria,
                    if_match,
                })
            }
            _ => Err(malformed("PUT", "Type/id` or `Type?criteria")),
        }
    }

    fn delete(&self, request: Request<'_>) -> Result<Intent, Issue> {
        let Request {
            segments,
            query,
            if_match,
            ..
        } = request;
        match (&segments[..], query) {
            ([name, id], None) => Ok(Intent::Delete {
                key: self.key(name, id)?,
                if_match,
            }),
            ([name], Some(query)) => {
                let resource_type = self.resource_type(name)?.into();
                let (several, criteria): (Vec<&str>, Vec<&str>) =
                    query.split('&').partition(|it| *it == SEVERAL);
                let (criteria, multiple) = (criteria.join("&"), !several.is_empty());
                Ok(Intent::DeleteWhere {
                    resource_type,
                    criteria,
                    multiple,
                })
            }
            _ => Err(malformed("DELETE", "Type/id` or `Type?criteria")),
        }
    }

    fn fetch(&self, request: &Request<'_>) -> Result<Fetch, Issue> {
        let query = request.query.unwrap_or_default().to_owned();
        let history = |of, query| {
            Fetch::History(HistoryQuery {
                of,
                query,
                order: HistoryOrder::NewestFirst,
            })
        };
        let read = |key, version: Option<&str>| Fetch::Read {
            key,
            version: version.map(str::to_owned),
            if_none_match: request.if_none_match.clone(),
        };
        Ok(match request.segments[..] {
            [] => Fetch::Search(Within::System, query),
            ["metadata"] => {
                return Err(Issue::error(
                    Fault::NotSupported,
                    "`metadata` in bundles is not offered",
                ));
            }
            ["_history"] => history(HistoryScope::System, query),
            [name] => Fetch::Search(Within::Type(self.resource_type(name)?.into()), query),
            [name, "_history"] => {
                history(HistoryScope::Type(self.resource_type(name)?.into()), query)
            }
            [name, id] => read(self.key(name, id)?, None),
            [name, id, "_history"] => history(HistoryScope::Instance(self.key(name, id)?), query),
            [name, id, "_history", version] => read(self.key(name, id)?, Some(version)),
            [name, id, sought] => {
                let (of, resource_type) = (self.key(name, id)?, Some(sought.to_owned()));
                Fetch::Search(Within::Compartment { of, resource_type }, query)
            }
            _ => return Err(malformed("GET", "Type/id` or `Type?criteria")),
        })
    }

    fn key(&self, resource_type: &str, id: &str) -> Result<ResourceKey, Issue> {
        let resource_type = self.resource_type(resource_type)?.into();
        let id = ResourceId::parse(id)
            .map_err(|error| Issue::error(Fault::Invalid, error.to_string()))?;
        Ok(ResourceKey { resource_type, id })
    }

    fn resource_type(&self, name: &str) -> Result<&'static str, Issue> {
        self.definitions
            .resource(name)
            .map(|it| it.name)
            .ok_or_else(|| {
                let version = self.definitions.version();
                let issue = Issue::error(
                    Fault::UnknownType,
                    format!("the URL names no resource type of {version}"),
                );
                issue.mend("write the URL relative to the server's base, beginning with a type")
            })
    }
}

fn malformed(method: &str, form: &str) -> Issue {
    let issue = Issue::error(
        Fault::Invalid,
        format!("the URL of a `{method}` entry is malformed"),
    );
    issue.mend(format!("write it as `{form}`"))
}

/// `W/"3", W/"4"` as the tags `3` and `4`.
fn tags(header: &str) -> Vec<String> {
    let bare = |tag: &str| {
        let tag = tag.trim();
        tag.strip_prefix("W/")
            .unwrap_or(tag)
            .trim_matches('"')
            .to_owned()
    };
    header
        .split(',')
        .map(bare)
        .filter(|tag| !tag.is_empty())
        .collect()
}
