//! Read, vread, search, history, capabilities.

use fhir::{Fault, Issue};
use http::StatusCode;
use interactions::{HistoryQuery, HistoryScope, ReadOutcome, ResourceKey, Within};
use store::HistoryOrder;

use super::{Exchange, Handled, now, tagged};
use crate::answer::{Answer, Content};
use crate::conditions::ReadConditions;
use crate::router::Endpoint;
use crate::splice::{self, Links};
use crate::{binary, capability, subset};

const LOOKS: &[&str] = &["_summary", "_elements"];

impl Exchange<'_> {
    pub(super) fn capabilities(&self) -> Handled {
        self.only(&["mode"])?;
        let mode = crate::query::pairs(&self.controls.query).find(|(name, _)| *name == "mode");
        if mode.is_some_and(|(_, value)| value != "full") {
            let issue = Issue::error(Fault::NotSupported, "only `mode=full` is offered");
            return Err(issue.at("http.mode").into());
        }
        let settings = self.interactions().settings();
        let version = self.base.version;
        let parts = capability::statement(version, &self.base_url(), settings);
        Ok(Answer::new(StatusCode::OK, Content::Resource(parts)))
    }

    pub(super) async fn read(mut self) -> Handled {
        let key = std::mem::take(&mut self.place).key();
        self.only(LOOKS)?;
        let found = self.interactions().read(&self.caller(), &key).await?;
        self.render_read(&key, found)
    }

    pub(super) async fn vread(mut self) -> Handled {
        let version = self
            .place
            .version_id
            .take()
            .expect("the route has a version id");
        let key = std::mem::take(&mut self.place).key();
        self.only(LOOKS)?;
        let found = self
            .interactions()
            .vread(&self.caller(), &key, &version)
            .await?;
        self.render_read(&key, found)
    }

    fn render_read(self, key: &ResourceKey, found: ReadOutcome) -> Handled {
        let resource = match found {
            ReadOutcome::Found(resource) => resource,
            ReadOutcome::Deleted(deleted) => return Err(splice::gone(&deleted).into()),
        };
        let conditions = ReadConditions::parse(&self.head.headers, now)?;
        if conditions.not_modified(resource.version.0, resource.last_updated) {
            return Ok(tagged(Answer::empty(StatusCode::NOT_MODIFIED), &resource));
        }
        let json = resource.json();
        let (version, controls) = (self.base.version, &self.controls);
        let may_be_raw = &*key.resource_type == "Binary" && controls.format.is_none();
        if may_be_raw && let Some(raw) = binary::unwrap(&json, &self.head.headers, version) {
            return Ok(tagged(raw, &resource));
        }
        if let Some(issue) = self.unacceptable {
            return Err(issue.into());
        }
        let (summary, elements) = (controls.summary.as_deref(), controls.elements.as_deref());
        let summary = subset::parse(summary, elements, &key.resource_type, version)?;
        let answer = Answer::resource(StatusCode::OK, subset::subset(&json, &summary, version));
        Ok(tagged(answer, &resource))
    }

    pub(super) async fn search(self) -> Handled {
        let within = match self.endpoint {
            Endpoint::SearchCompartment => Within::Compartment {
                of: self.place.clone().key(),
                resource_type: self.place.sought.map(str::to_owned),
            },
            Endpoint::SearchType => Within::Type(self.place.resource_type().to_owned()),
            _ => Within::System,
        };
        let path = match &within {
            Within::System => String::new(),
            Within::Type(name) => name.clone(),
            Within::Compartment { of, resource_type } => {
                format!("{of}/{}", resource_type.as_deref().unwrap_or("*"))
            }
        };
        let (caller, handling) = (self.caller(), self.preferences.handling);
        let found = self
            .interactions()
            .search(&caller, within, &self.controls.query, handling);
        Ok(self.page(&found.await?, &path))
    }

    pub(super) async fn history(self) -> Handled {
        let (of, path) = match self.endpoint {
            Endpoint::HistoryInstance => {
                let key = self.place.clone().key();
                let path = format!("{key}/_history");
                (HistoryScope::Instance(key), path)
            }
            Endpoint::HistoryType => {
                let name = self.place.resource_type();
                (
                    HistoryScope::Type(name.to_owned()),
                    format!("{name}/_history"),
                )
            }
            _ => (HistoryScope::System, "_history".to_owned()),
        };
        let query = self.controls.query.clone();
        let query = HistoryQuery {
            of,
            query,
            order: HistoryOrder::NewestFirst,
        };
        let found = self.interactions().history(&self.caller(), query).await?;
        Ok(self.page(&found, &path))
    }

    fn page(&self, found: &interactions::SearchAnswer, path: &str) -> Answer {
        let base = self.base_url();
        let links = Links {
            base: &base,
            path,
            query: &self.controls.carried,
        };
        let parts = splice::page(found, &links, self.base.version);
        Answer::new(StatusCode::OK, Content::Resource(parts))
    }
}
