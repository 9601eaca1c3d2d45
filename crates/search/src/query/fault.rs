//! What is wrong with a parameter: names it and where it stands, never shows its value.

use fhir::{Fault, Issue};

/// Why a parameter was not taken.
pub(super) enum Refused {
    /// Its name or modifier is unknown or not offered: lenient callers go on without it.
    Unknown(Issue),
    /// Its value is wrong: nobody goes on without it.
    Faulty(Issue),
}

impl Refused {
    /// The same, for lenient callers too.
    pub(super) fn lasting(self) -> Self {
        match self {
            Self::Unknown(issue) | Self::Faulty(issue) => Self::Faulty(issue),
        }
    }
}

/// The longest name that is repeated to the client.
const NAME_SHOWN_MAX: usize = 64;

/// A name as it is repeated to the client.
pub(super) fn shown(name: &str) -> &str {
    &name[..name.floor_char_boundary(NAME_SHOWN_MAX)]
}

/// Where a parameter stands.
pub(super) fn location(name: &str) -> String {
    format!("http.{}", shown(name))
}

/// The parameter has something that it may not have.
pub(super) fn faulty(name: &str, what: &str, remedy: &str) -> Refused {
    let what = format!("the parameter `{}` has {what}", shown(name));
    let issue = Issue::error(Fault::Invalid, what).at(location(name));
    Refused::Faulty(issue.mend(remedy))
}

/// Something in the name does not exist. `what` is a phrase such as "the search parameter `x`".
pub(super) fn unknown(name: &str, what: &str, suggestion: Option<&str>) -> Refused {
    let remedy = match suggestion {
        Some(name) => format!("did you mean `{name}`?"),
        None => "the CapabilityStatement lists the parameters of each type".to_owned(),
    };
    let issue = Issue::error(Fault::Invalid, format!("{what} does not exist here"));
    Refused::Unknown(issue.at(location(name)).mend(remedy))
}

/// Something exists, but not for this: the rest of the sentence says why.
pub(super) fn unfit(name: &str, what: &str, remedy: &str) -> Refused {
    let issue = Issue::error(Fault::Invalid, what).at(location(name));
    Refused::Unknown(issue.mend(remedy))
}

/// Something of the standard is not offered.
pub(super) fn not_offered(name: &str, what: &str) -> Refused {
    let issue = Issue::error(Fault::NotSupported, format!("{what} is not offered yet"));
    Refused::Unknown(issue.at(location(name)))
}

/// More than a limit allows.
pub(super) fn over(name: &str, limit: &str, max: usize, of_what: &str) -> Refused {
    let what = format!(
        "the parameter `{}` has more than `{limit}` ({max}) {of_what}",
        shown(name)
    );
    Refused::Faulty(Issue::error(Fault::TooLarge, what).at(location(name)))
}
