//! The FHIR versions that isthmus speaks, as a value.

use std::fmt;

/// A FHIR version. What differs between versions is a row of that version's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FhirVersion {
    /// STU3, 3.0.2.
    Stu3,
    /// R4, 4.0.1.
    R4,
}

impl FhirVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 2] = [Self::Stu3, Self::R4];

    /// The segment of the URL below `/fhir/`: `stu3` or `r4`.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Stu3 => "stu3",
            Self::R4 => "r4",
        }
    }

    /// The publication's number, as `CapabilityStatement.fhirVersion` has it.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Stu3 => "3.0.2",
            Self::R4 => "4.0.1",
        }
    }

    /// The value of the media type parameter `fhirVersion`: `3.0` or `4.0`.
    pub const fn mime_parameter(self) -> &'static str {
        match self {
            Self::Stu3 => "3.0",
            Self::R4 => "4.0",
        }
    }

    /// The version with that slug, if there is one.
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.slug() == slug)
    }
}

impl fmt::Display for FhirVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stu3 => "STU3",
            Self::R4 => "R4",
        })
    }
}
