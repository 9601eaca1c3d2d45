//! Required bindings: the code must be from the value set.
//!
//! A Coding and a Quantity are judged by system and code, or where no system is given, as in some of
//! the official examples, by their code; a CodeableConcept by whether one of its codings is from the
//! set (<https://hl7.org/fhir/R4/terminologies.html#required>). Text alone, or an extension instead
//! of a code, is let through. Weaker bindings are not judged, except for the
//! outer limit that some have (languages).

use super::grammar;
use super::handling::Rule;
use super::walk::Walk;
use crate::definitions::{Binding, BindingStrength, Code};
use crate::issue::Fault;
use crate::json::Value;

/// How many codes a remedy lists.
const CODES_LISTED_MAX: usize = 16;

/// What a coded value can be compared with.
#[derive(Clone, Copy)]
enum Limit {
    Codes(&'static [Code]),
    Grammar(&'static str),
}

impl<'d> Walk<'d, '_> {
    /// A `code`, or another primitive with a binding.
    pub(super) fn bound_code(&mut self, code: &str, binding: &'static Binding) {
        let Some(limit) = self.limit(binding) else {
            return;
        };
        let fits = match limit {
            Limit::Codes(_) => binding.has_code(code) != Some(false),
            Limit::Grammar(grammar) => grammar::fits(grammar, code),
        };
        if !fits {
            self.not_in(limit, binding);
        }
    }

    /// A Coding, CodeableConcept or Quantity.
    pub(super) fn bound_complex(
        &mut self,
        value: Value<'d>,
        type_name: &str,
        binding: &'static Binding,
    ) {
        let Some(limit) = self.limit(binding) else {
            return;
        };
        let fits = match type_name {
            "CodeableConcept" => {
                let codings = || value.get("coding").into_iter().flat_map(Value::items);
                let mut coded = codings().filter(|it| it.get("code").is_some()).peekable();
                coded.peek().is_none() || coded.any(|it| coding_fits(it, limit, binding))
            }
            "Coding" | "Quantity" => coding_fits(value, limit, binding),
            _ => true,
        };
        if !fits {
            self.not_in(limit, binding);
        }
    }

    fn limit(&self, binding: &'static Binding) -> Option<Limit> {
        if let Some(codes) = binding.codes {
            return Some(Limit::Codes(codes));
        }
        let required = binding.strength == BindingStrength::Required;
        let value_set = required
            .then_some(binding.value_set)
            .or(binding.value_set_max)?;
        let grammar = self.definitions.open_value_set(value_set)?.grammar?;
        Some(Limit::Grammar(grammar))
    }

    fn not_in(&mut self, limit: Limit, binding: &'static Binding) {
        let value_set = match binding.strength {
            BindingStrength::Required => binding.value_set,
            _ => binding.value_set_max.unwrap_or(binding.value_set),
        };
        self.report.add_by(Rule::RequiredBinding, Fault::Value, || {
            let what = format!("the code is not in the required value set `{value_set}`");
            (what, remedy(limit))
        });
    }
}

fn coding_fits(coding: Value<'_>, limit: Limit, binding: &Binding) -> bool {
    let text = |name| coding.get(name).and_then(Value::as_str);
    let Some(code) = text("code") else {
        return true;
    };
    match limit {
        Limit::Codes(_) => match text("system") {
            Some(system) => binding.has_coding(&system, &code) != Some(false),
            None => binding.has_code(&code) != Some(false),
        },
        Limit::Grammar(grammar) => grammar::fits(grammar, &code),
    }
}

fn remedy(limit: Limit) -> String {
    match limit {
        Limit::Codes(codes) if codes.len() <= CODES_LISTED_MAX => {
            let codes: Vec<String> = codes.iter().map(|it| format!("`{}`", it.code)).collect();
            format!("use one of {}", codes.join(", "))
        }
        Limit::Codes(_) => "use a code of that value set, with its system where one belongs".into(),
        Limit::Grammar("media-type") => "use a media type, e.g. `text/plain`".into(),
        Limit::Grammar("language-tag") => "use a language tag of BCP 47, e.g. `de-CH`".into(),
        Limit::Grammar(_) => "use a unit of UCUM, e.g. `mg/dL`".into(),
    }
}
