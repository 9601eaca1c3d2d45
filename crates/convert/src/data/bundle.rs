//! A bundle as templates ask for it: its resources by type, and what a reference leads to (FHIR R4
//! §2.36.4.1): an entry by its `fullUrl`, or by type and id, or a resource that is contained. A single
//! resource is seen as a bundle of one.

use std::collections::HashMap;

use crate::value::{Map, Value};

/// The resources of a bundle by the URLs that lead to them.
#[derive(Default)]
pub(crate) struct Bundle<'a> {
    /// Those of entries in order, each followed by what it contains.
    resources: Vec<&'a Map<'a>>,
    by_url: HashMap<String, &'a Map<'a>>,
}

impl<'a> Bundle<'a> {
    /// Reads what is there; of resources with one URL the first counts.
    pub(crate) fn read(root: Value<'a>) -> Self {
        let mut bundle = Self::default();
        let Some(root) = root.as_map() else {
            return bundle;
        };
        match root.get("entry") {
            Some(Value::List(entries)) => {
                for entry in entries.iter().filter_map(Value::as_map) {
                    if let Some(resource) = entry.get("resource").and_then(|it| it.as_map()) {
                        bundle.add(resource, text(entry, "fullUrl"));
                    }
                }
            }
            _ => bundle.add(root, None),
        }
        bundle
    }

    fn add(&mut self, resource: &'a Map<'a>, full_url: Option<&str>) {
        let by_id = text(resource, "resourceType")
            .zip(text(resource, "id"))
            .map(|(kind, id)| format!("{kind}/{id}"));
        for url in full_url.map(str::to_owned).into_iter().chain(by_id) {
            self.by_url.entry(url).or_insert(resource);
        }
        self.resources.push(resource);
        self.resources.extend(contained(resource));
    }

    /// How many resources there are.
    pub(crate) fn len(&self) -> usize {
        self.resources.len()
    }

    /// The resources of a type, in order.
    pub(crate) fn of_type(&self, kind: &str) -> impl Iterator<Item = &'a Map<'a>> {
        let resources = self.resources.iter().copied();
        resources.filter(move |it| text(it, "resourceType") == Some(kind))
    }

    /// What a `Reference` in that resource, or a URL, leads to.
    pub(crate) fn find(
        &self,
        reference: Value<'a>,
        inside: Option<&'a Map<'a>>,
    ) -> Option<&'a Map<'a>> {
        let member = reference.as_map().and_then(|it| text(it, "reference"));
        let url = member.or_else(|| reference.as_text())?;
        if let Some(id) = url.strip_prefix('#') {
            let inside = inside?;
            return contained(inside).find(|it| text(it, "id") == Some(id));
        }
        let url = url.split("/_history/").next().unwrap_or(url);
        self.by_url.get(url).copied()
    }
}

fn text<'a>(map: &Map<'a>, name: &str) -> Option<&'a str> {
    map.get(name)?.as_text()
}

fn contained<'a>(resource: &'a Map<'a>) -> impl Iterator<Item = &'a Map<'a>> {
    let list = match resource.get("contained") {
        Some(Value::List(items)) => items,
        _ => &[],
    };
    list.iter().filter_map(Value::as_map)
}
