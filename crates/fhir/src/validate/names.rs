//! What is told of a name that the definitions do not know.

use super::report::shown;
use super::walk::Walk;
use crate::definitions::{ElementDefinition, Shape};
use crate::issue::Fault;
use crate::suggest::nearest;

/// How many names of a choice a remedy lists.
const CHOICES_LISTED_MAX: usize = 12;

impl Walk<'_, '_> {
    pub(super) fn unknown(&mut self, name: &str, shape: Shape) {
        let definitions = self.definitions;
        self.report.add(Fault::Structure, || {
            let elements = definitions.elements(shape);
            let bare = name.strip_prefix('_').unwrap_or(name);
            let choice = elements.iter().find(|it| is_type_of_choice(bare, it));
            let spelled: Vec<String> = elements.iter().flat_map(spelled_names).collect();
            let near = nearest(bare, spelled.iter().map(String::as_str));
            match (choice, near) {
                (Some(choice), None) => not_a_choice(name, choice),
                (Some(choice), _) if choice.name == bare => not_a_choice(name, choice),
                _ => {
                    let what = format!("there is no element {} here", shown(name));
                    (
                        what,
                        did_you_mean(near, "leave it out, or use an extension"),
                    )
                }
            }
        });
    }
}

pub(super) fn did_you_mean(near: Option<&str>, otherwise: &str) -> String {
    match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => otherwise.to_owned(),
    }
}

fn spelled_names(element: &'static ElementDefinition) -> impl Iterator<Item = String> {
    element
        .types
        .iter()
        .map(|it| match it.name.split_at_checked(1) {
            Some((first, rest)) if element.is_choice => {
                format!("{}{}{rest}", element.name, first.to_ascii_uppercase())
            }
            _ => element.name.to_owned(),
        })
}

/// Whether the name is that of a choice, with or without something like a type appended.
fn is_type_of_choice(name: &str, element: &ElementDefinition) -> bool {
    let rest = name
        .strip_prefix(element.name)
        .filter(|_| element.is_choice);
    rest.is_some_and(|it| it.is_empty() || it.starts_with(|first: char| first.is_ascii_uppercase()))
}

fn not_a_choice(name: &str, element: &'static ElementDefinition) -> (String, String) {
    let what = format!(
        "{} names no type that `{}[x]` may have",
        shown(name),
        element.name
    );
    let names: Vec<String> = spelled_names(element).map(|it| format!("`{it}`")).collect();
    let listed = names.len().min(CHOICES_LISTED_MAX);
    let more = if listed < names.len() { ", …" } else { "" };
    (
        what,
        format!("use one of {}{more}", names[..listed].join(", ")),
    )
}
