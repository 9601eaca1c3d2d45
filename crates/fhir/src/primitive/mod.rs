//! The primitive types: how each is written in JSON and which texts it accepts.
//!
//! One row per type; what differs between versions is a field of [`Dialect`]. The standard gives
//! regular expressions (<https://hl7.org/fhir/R4/datatypes.html#primitive>); they are written here
//! as functions over bytes, because every value of every write passes through them.

mod lexical;
pub mod temporal;

use crate::FhirVersion;
use crate::json::Kind;

/// A primitive type.
pub struct Primitive {
    /// Its name, e.g. `positiveInt`.
    pub name: &'static str,
    /// What its values are in JSON.
    pub kind: Kind,
    /// What a value must look like, as the end of "must be …".
    pub form: &'static str,
    accepts: fn(&[u8], &Dialect) -> bool,
}

/// What differs between versions in how primitives are written.
struct Dialect {
    /// Seconds may be 60.
    leap_seconds: bool,
    /// Years may be negative or 0.
    years_before_common_era: bool,
    /// Decimals may have an exponent.
    exponents: bool,
}

/// STU3 takes dates from XML Schema and forbids exponents (<https://hl7.org/fhir/STU3/json.html#primitive>).
static STU3: Dialect = Dialect {
    leap_seconds: false,
    years_before_common_era: true,
    exponents: false,
};

static R4: Dialect = Dialect {
    leap_seconds: true,
    years_before_common_era: false,
    exponents: true,
};

impl Dialect {
    fn of(version: FhirVersion) -> &'static Self {
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }
}

impl Primitive {
    /// The primitive of that name, in any version.
    pub fn named(name: &str) -> Option<&'static Self> {
        let found = PRIMITIVES.binary_search_by(|row| row.name.cmp(name));
        found.ok().map(|row| &PRIMITIVES[row])
    }

    /// Whether the text (a string's content, or a number or boolean as written) is a value of this
    /// type. An empty text never is. The content of `xhtml` is another matter: [`crate::narrative`].
    pub fn accepts(&self, text: &str, version: FhirVersion) -> bool {
        !text.is_empty() && (self.accepts)(text.as_bytes(), Dialect::of(version))
    }
}

const fn string(
    name: &'static str,
    accepts: fn(&[u8], &Dialect) -> bool,
    form: &'static str,
) -> Primitive {
    Primitive {
        name,
        kind: Kind::String,
        form,
        accepts,
    }
}

const fn number(
    name: &'static str,
    accepts: fn(&[u8], &Dialect) -> bool,
    form: &'static str,
) -> Primitive {
    Primitive {
        name,
        kind: Kind::Number,
        form,
        accepts,
    }
}

const URI: &str = "a URI without white space";
const TEXT: &str = "text of at most 1,048,576 characters without control characters \
                    other than tab, line feed and carriage return";

/// Sorted by name.
static PRIMITIVES: [Primitive; 20] = [
    string(
        "base64Binary",
        |text, _| lexical::is_base64(text),
        "base64 in groups of four characters, padded with `=`",
    ),
    Primitive {
        name: "boolean",
        kind: Kind::Boolean,
        form: "`true` or `false`",
        accepts: |text, _| matches!(text, b"true" | b"false"),
    },
    string("canonical", |text, _| lexical::is_uri(text), URI),
    string(
        "code",
        |text, _| lexical::is_code(text),
        "a code: no white space around it, and single spaces at most inside it",
    ),
    string(
        "date",
        |text, dialect| Temporal::read(text, dialect).is_some_and(|it| it.time.is_none()),
        "a date of the calendar: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`",
    ),
    string(
        "dateTime",
        |text, dialect| Temporal::read(text, dialect).is_some(),
        "`YYYY`, `YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ss` with a zone (`Z` or `+hh:mm`)",
    ),
    number(
        "decimal",
        lexical::is_decimal,
        "a decimal number without leading zeros, in STU3 without exponent",
    ),
    string(
        "id",
        |text, _| lexical::is_id(text),
        "1 to 64 characters of `A-Z a-z 0-9 - .`",
    ),
    string(
        "instant",
        |text, dialect| Temporal::read(text, dialect).is_some_and(|it| it.time.is_some()),
        "`YYYY-MM-DDThh:mm:ss` with a zone (`Z` or `+hh:mm`)",
    ),
    number(
        "integer",
        |text, _| lexical::is_integer(text, i64::from(i32::MIN)),
        "a whole number from -2,147,483,648 to 2,147,483,647",
    ),
    string("markdown", |text, _| lexical::is_text(text), TEXT),
    string(
        "oid",
        |text, _| lexical::is_oid(text),
        "an OID as `urn:oid:` and numbers with dots between",
    ),
    number(
        "positiveInt",
        |text, _| lexical::is_integer(text, 1),
        "a whole number from 1 to 2,147,483,647",
    ),
    string("string", |text, _| lexical::is_text(text), TEXT),
    string(
        "time",
        |text, dialect| TimeOfDay::read(text, dialect).is_some(),
        "`hh:mm:ss`, without a zone",
    ),
    number(
        "unsignedInt",
        |text, _| lexical::is_integer(text, 0),
        "a whole number from 0 to 2,147,483,647",
    ),
    string("uri", |text, _| lexical::is_uri(text), URI),
    string("url", |text, _| lexical::is_uri(text), URI),
    string(
        "uuid",
        |text, _| lexical::is_uuid(text),
        "a UUID in lower case as `urn:uuid:8-4-4-4-12`",
    ),
    string("xhtml", |_, _| true, "an XHTML `div`"),
];

use temporal::{Temporal, TimeOfDay};

#[cfg(test)]
mod tests;
