//! A write together with the Provenance that tells where it came from (`X-Provenance`).
//!
//! Both become one commit. <https://hl7.org/fhir/R4/provenance.html#header>

use std::sync::Arc;

use fhir::json::{Document, Limits, Splice, splice};
use fhir::{Fault, Issue};
use uuid::Uuid;

use crate::job::{Intent, Job, Source, Task};
use crate::{Caller, InteractionError, Interactions, Write, WriteAnswer};

const HEADER: &str = "http.X-Provenance";

impl Interactions {
    /// Does a create or update, and stores a Provenance whose target is the resource written.
    pub async fn write_with_provenance(
        &self,
        caller: &Caller,
        write: Write,
        provenance: Document,
    ) -> Result<WriteAnswer, InteractionError> {
        let mut job = Job::of(caller, write)?;
        let full_url = format!("urn:uuid:{}", Uuid::now_v7());
        let provenance = with_target(&provenance, &full_url).map_err(|issue| issue.at(HEADER))?;
        let Source::Documents(documents) = &mut job.source else {
            return Err(InteractionError::internal("a single write has no bundle"));
        };
        if documents.is_empty() {
            let what = "`X-Provenance` goes with a create or an update only";
            return Err(Issue::error(Fault::NotSupported, what).at(HEADER).into());
        }
        documents.push(provenance);
        job.tasks[0].full_url = Some(full_url.into());
        job.tasks.push(Task {
            intent: Intent::Create {
                resource_type: "Provenance".into(),
                if_none_exist: None,
            },
            resource: Some(1),
            place: HEADER.to_owned(),
            full_url: None,
        });
        let mut answers = self.apply(caller, Arc::new(job)).await?;
        Ok(answers.swap_remove(0))
    }
}

/// The Provenance with its target, which the standard leaves to the server.
fn with_target(provenance: &Document, full_url: &str) -> Result<Document, Issue> {
    let root = provenance.root();
    if root.get("target").is_some() {
        let issue = Issue::error(Fault::Invalid, "the Provenance has a `target` already");
        return Err(issue.mend("leave it out: it is what this request writes"));
    }
    if !root
        .get("resourceType")
        .is_some_and(|it| it.is_str("Provenance"))
    {
        return Err(Issue::error(
            Fault::Invalid,
            "the header holds no `Provenance`",
        ));
    }
    let after_brace = root.span().start + 1;
    let with = format!(r#""target":[{{"reference":"{full_url}"}}],"#);
    let text = splice(
        provenance.as_str(),
        vec![Splice {
            span: after_brace..after_brace,
            with,
        }],
    );
    let document = Document::parse(text.into(), &Limits::DEFAULT);
    document.map_err(|error| Issue::error(Fault::TooLarge, error.what))
}
