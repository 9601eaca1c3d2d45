//! Expressions of ours where the standard's are wrong or missing, and what cannot be indexed.
//!
//! Tables under `data/{stu3,r4}/`, every row with its reason; tests keep them minimal.

use std::collections::HashMap;
use std::sync::LazyLock;

use fhir::FhirVersion;
use fhir::definitions::{SearchComponent, SearchParameter};

/// What is mended in one FHIR version.
pub(crate) struct Corrections {
    /// By URL and component (`""` for the parameter itself).
    mended: HashMap<(&'static str, &'static str), Mended>,
    /// By URL: why.
    not_indexed: HashMap<&'static str, &'static str>,
}

/// What stands in place of what the standard says; `""` where that is right.
#[derive(Clone, Copy)]
struct Mended {
    definition: &'static str,
    expression: &'static str,
}

/// A cell of a table of corrections that is the parameter's own expression.
const ITSELF: &str = "";

impl Corrections {
    pub(crate) fn of(version: FhirVersion) -> &'static Self {
        static STU3: LazyLock<Corrections> = LazyLock::new(|| {
            Corrections::read(
                include_str!("../data/stu3/corrections.tsv"),
                include_str!("../data/stu3/not-indexed.tsv"),
            )
        });
        static R4: LazyLock<Corrections> = LazyLock::new(|| {
            Corrections::read(
                include_str!("../data/r4/corrections.tsv"),
                include_str!("../data/r4/not-indexed.tsv"),
            )
        });
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }

    fn read(corrections: &'static str, not_indexed: &'static str) -> Self {
        let rows = corrections.lines().skip(1).filter_map(|line| {
            let mut cells = line.split('\t');
            let (url, component) = (cells.next()?, cells.next()?);
            let (definition, expression) = (cells.next()?, cells.next()?);
            let mended = Mended {
                definition,
                expression,
            };
            Some(((url, component), mended))
        });
        let reasons = not_indexed
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once('\t'));
        Self {
            mended: rows.collect(),
            not_indexed: reasons.collect(),
        }
    }

    /// What a parameter searches in.
    pub(crate) fn expression(&self, parameter: &SearchParameter) -> Option<&'static str> {
        let mended = self.mended.get(&(parameter.url, ITSELF));
        mended.map(|it| it.expression).or(parameter.expression)
    }

    /// The definition of a component and what it searches in; components are numbered from 1.
    pub(crate) fn component(&self, parameter: &SearchParameter, place: usize) -> SearchComponent {
        const NUMBERS: [&str; 4] = ["1", "2", "3", "4"];
        let number = NUMBERS.get(place).copied().unwrap_or_default();
        let mut component = parameter.components[place];
        if let Some(mended) = self.mended.get(&(parameter.url, number)) {
            component.definition = given(mended.definition, component.definition);
            component.expression = given(mended.expression, component.expression);
        }
        component
    }

    /// Why a parameter cannot be indexed.
    pub(crate) fn not_indexed(&self, url: &str) -> Option<&'static str> {
        self.not_indexed.get(url).copied()
    }

    /// The URLs of all rows, each with its component.
    #[cfg(test)]
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let not_indexed = self.not_indexed.keys().map(|url| (*url, ITSELF));
        self.mended.keys().copied().chain(not_indexed)
    }
}

fn given(mended: &'static str, published: &'static str) -> &'static str {
    if mended.is_empty() { published } else { mended }
}
