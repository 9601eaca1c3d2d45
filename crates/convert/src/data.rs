//! What templates see of an input: HL7 v2 messages as `hl7v2Data`, everything else as `msg`.

pub(crate) mod bundle;
pub(crate) mod hl7v2;
pub(crate) mod json;
pub(crate) mod outbound;
pub(crate) mod separators;
pub(crate) mod xml;
