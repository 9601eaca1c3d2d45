//! What a lenient caller (`Prefer: handling=lenient`) is spared: brackets of arrays are mended before
//! anything else looks at the content. Each mend is a warning in the answer.

use fhir::json::{Document, Limits, splice};
use fhir::validate::Handling as Rules;
use fhir::{Definitions, Fault, Issue};
use search::query::Handling;

use crate::{Caller, InteractionError};

/// The caller's document, mended if that was asked for, with a warning for each mend.
pub(crate) fn mended(
    caller: &Caller,
    document: Document,
) -> Result<(Document, Vec<Issue>), InteractionError> {
    if caller.handling == Handling::Strict {
        return Ok((document, Vec::new()));
    }
    let mended = fhir::mend::mend(&document, Definitions::of(caller.version));
    if mended.splices.is_empty() {
        return Ok((document, mended.issues));
    }
    let text = splice(document.as_str(), mended.splices);
    let limits = Limits {
        bytes_max: text.len(),
        ..Limits::DEFAULT
    };
    let document = Document::parse(text.into(), &limits)
        .map_err(|error| Issue::error(Fault::TooLarge, error.what))?;
    Ok((document, mended.issues))
}

/// The warnings that concern what lies at a place; all of them where the place is the whole.
pub(crate) fn at<'i>(issues: &'i [Issue], place: &'i str) -> impl Iterator<Item = &'i Issue> {
    let concerns = move |it: &&Issue| {
        let rest = it.expression.first().and_then(|at| at.strip_prefix(place));
        rest.is_some_and(|rest| place.is_empty() || rest.starts_with('.'))
    };
    issues.iter().filter(concerns)
}

/// The rules that validation applies for this caller.
pub(crate) fn rules(caller: &Caller) -> Rules {
    match caller.handling {
        Handling::Strict => Rules::Strict,
        Handling::Lenient => Rules::Lenient,
    }
}
