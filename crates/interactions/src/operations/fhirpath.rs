//! `$fhirpath`: what an expression gives on a resource, sent with it or stored.
//!
//! The answer has a `result` for the resource, or for each item that `context` gives, with one part
//! per item: its name is the item's type, its value the item; a type that no `value[x]` can have is
//! a part `json`. Evaluation reads nothing: what it lacks (resources that references lead to,
//! definitions of codes) is looked up and the expression evaluated again.

mod items;
mod question;

use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Limits};
use fhir::{Definitions, Fault, Issue, ResourceId};
use search::reference::Target;
use store::{At, View};

use self::question::{Known, Lacking, Question, Subject};
use super::{Call, CalledOn};
use crate::{Caller, InteractionError, Interactions, ReadOutcome, ResourceKey};

pub(super) const DOCUMENTATION: &str = "Evaluates a FHIRPath expression on the resource sent as \
     `resource`, or on the stored one. `context` is evaluated first, then `expression` on each of \
     its items; each part of `variables` is an environment variable. The answer has one `result` \
     for each context and in it one part for each item, named by its type. `resolve()` follows \
     references to this server, `memberOf()` knows its value sets.";

/// Times that an expression is evaluated anew with what it lacked before.
const ROUNDS_MAX: usize = 32;

/// Resources that the references of one expression may lead to.
const RESOLVED_MAX: usize = 1_000;

impl Interactions {
    /// The operation `$fhirpath`.
    pub(super) async fn fhirpath(
        &self,
        caller: &Caller,
        call: Call,
    ) -> Result<Bytes, InteractionError> {
        let subject = self.fhirpath_subject(caller, &call).await?;
        let question = Question {
            subject,
            arguments: call.arguments,
            version: caller.version,
            now: crate::read::instant(self.clock.now()),
            limits: self.settings.fhirpath,
            output_bytes_max: self.settings.fhirpath_output_bytes_max,
        };
        let question = Arc::new(question);
        let view = self.store.view(&caller.tenant, At::Newest).await?;
        let mut known = Known::default();
        for _ in 0..ROUNDS_MAX {
            let asked = Arc::clone(&question);
            // An expression may take a second.
            let evaluated = tokio::task::spawn_blocking(move || asked.answer(known));
            let (answer, lacking, had) = evaluated
                .await
                .map_err(|_| InteractionError::internal("an evaluation panicked"))?;
            if lacking.is_empty() {
                return Ok(answer?);
            }
            known = had;
            self.fetch_lacking(caller, &view, lacking, &mut known)
                .await?;
        }
        let what = format!("the expression looks up more than `rounds_max` ({ROUNDS_MAX}) times");
        Err(Issue::error(Fault::BusinessRule, what).into())
    }

    async fn fhirpath_subject(
        &self,
        caller: &Caller,
        call: &Call,
    ) -> Result<Subject, InteractionError> {
        let sent = call.arguments.resource("resource");
        match (&call.on, sent) {
            (CalledOn::Instance(key), None) => match self.read(caller, key).await? {
                ReadOutcome::Found(resource) => {
                    let document = Document::parse(resource.json(), &Limits::DEFAULT);
                    let damaged =
                        |_| InteractionError::internal("a stored resource cannot be read");
                    Ok(Some(document.map_err(damaged)?))
                }
                ReadOutcome::Deleted(_) => {
                    Err(Issue::error(Fault::Deleted, "the resource is deleted").into())
                }
            },
            (CalledOn::Instance(_), Some(_)) => {
                let what = "a `resource` is sent although the URL names a stored one";
                Err(Issue::error(Fault::Invalid, what)
                    .mend("leave one of them out")
                    .into())
            }
            (CalledOn::Type(name), None) => {
                let what = format!("the operation needs a `resource` of the type `{name}`");
                Err(Issue::error(Fault::Required, what).into())
            }
            (CalledOn::Type(name), Some(document)) => {
                let given = fhir::validate::resource_type(document.root());
                if given.is_none_or(|it| it != *name) {
                    let what = format!("the `resource` is not of the type `{name}`");
                    return Err(Issue::error(Fault::Invalid, what).into());
                }
                Ok(Some(document))
            }
            (CalledOn::System, sent) => Ok(sent),
        }
    }

    /// Looks up what an evaluation lacked.
    async fn fetch_lacking(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        lacking: Lacking,
        known: &mut Known,
    ) -> Result<(), InteractionError> {
        for lack in lacking.definitions {
            let content = &mut known.content;
            self.give_lacking(caller, view, lack, content).await?;
        }
        for reference in lacking.references {
            if known.resolved.len() >= RESOLVED_MAX {
                let what = format!(
                    "the expression resolves more than `resolved_max` ({RESOLVED_MAX}) references"
                );
                return Err(Issue::error(Fault::BusinessRule, what).into());
            }
            let found = self.resolved(caller, view, &reference).await?;
            known.resolved.insert(reference, found);
        }
        Ok(())
    }

    /// The resource here that a reference leads to, if the caller may see it.
    async fn resolved(
        &self,
        caller: &Caller,
        view: &Arc<dyn View>,
        reference: &str,
    ) -> Result<Option<Document>, InteractionError> {
        let definitions = Definitions::of(caller.version);
        let target = self.bases(caller.version).target(definitions, reference);
        let Target::Local {
            resource_type, id, ..
        } = target
        else {
            return Ok(None);
        };
        let Ok(id) = ResourceId::parse(id) else {
            return Ok(None);
        };
        let key = ResourceKey {
            resource_type: resource_type.into(),
            id,
        };
        let Some(record) = self.visible_record(caller, view, &key).await? else {
            return Ok(None);
        };
        let json = crate::read::resource(key, record).json();
        let document = Document::parse(json, &Limits::DEFAULT);
        let damaged = |_| InteractionError::internal("a stored resource cannot be read");
        document.map(Some).map_err(damaged)
    }
}
