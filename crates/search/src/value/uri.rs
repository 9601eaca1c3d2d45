//! URIs, as written; canonical ones also without their version.

use fhir::json::Value;

use super::{At, Datatype, Values};
use crate::entry::EntryValue;
use crate::measure::fit;

impl Values<'_> {
    pub(super) fn uri(&mut self, at: At, datatype: Datatype, value: Value<'_>) {
        match (value.as_str(), datatype) {
            (Some(uri), Datatype::Canonical) => self.canonical(at, &uri),
            (Some(uri), _) => self.push(at, EntryValue::Uri(fit(&uri).into())),
            (None, _) => self.push(at, EntryValue::Valueless),
        }
    }
}
