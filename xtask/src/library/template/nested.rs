//! The resources that another refers to: their ids, and their entries after it.

use std::collections::BTreeSet;

use super::super::tree::{Leaf, Nested, Object, Value};
use super::place::{Place, around, conditional, push};
use super::text::{member, value_text};

/// People and places are known by a part of what is said of them, see the folder `Id`.
fn has_id_by_hand(leaf: &Leaf) -> bool {
    const BY_HAND: &[&str] = &["XCN_Practitioner", "CNN_Practitioner", "PL_Location"];
    let Value::Partial { name, .. } = &leaf.value else {
        return false;
    };
    BY_HAND.iter().any(|it| name == &format!("Resource/{it}"))
}

/// Gives `nested` the id of a resource that is referred to.
pub(super) fn id(nested: &Nested, place: &Place) -> String {
    let resource = &nested.resource;
    let whole = nested.object.partials.first();
    if let Some(leaf) = whole.filter(|it| has_id_by_hand(it)) {
        let path = place.path(&format!("s.{}", leaf.field));
        return format!(
            "{{% capture nested %}}{{% include 'Id/{resource}', v: {path} %}}{{% endcapture %}}"
        );
    }
    let fields = match whole {
        Some(leaf) => BTreeSet::from([leaf.field]),
        None => nested.object.fields(),
    };
    let keys: Vec<String> = fields
        .iter()
        .take(8)
        .map(|it| place.path(&format!("s.{it}")))
        .collect();
    format!(
        "{{% assign nested = '{resource}' | id: {} %}}",
        keys.join(", ")
    )
}

/// The resources that an object refers to, as entries.
pub(super) fn nested_of(object: &Object, place: &Place, out: &mut String) {
    for member in &object.members {
        for item in member.items.values() {
            let mut text = String::new();
            around(item, member.is_list, place, &mut text, |place, text| {
                if let Some(nested) = &item.nested {
                    entry(nested, place, text);
                }
                nested_of(&item.object, place, text);
            });
            if text.contains("\"resource\"") || text.contains("'Resource/") {
                out.push_str(&text);
                out.push('\n');
            }
        }
    }
}

fn entry(nested: &Nested, place: &Place, out: &mut String) {
    let resource = &nested.resource;
    out.push_str(&id(nested, place));
    out.push_str("{% if nested %}");
    let mut is_whole = !nested.object.partials.is_empty() && nested.object.members.is_empty();
    for leaf in &nested.object.partials {
        match &leaf.value {
            Value::Partial { name, .. } if name.starts_with("Resource/") => {
                let path = place.path(&format!("s.{}", leaf.field));
                let text = format!("{{% include '{name}', v: {path}, id: nested %}}");
                out.push_str(&conditional(leaf, place, &text));
            }
            _ => is_whole = false,
        }
    }
    if !is_whole {
        push(
            out,
            &format!(
                "{{\"resource\": {{\"resourceType\": \"{resource}\", \"id\": \"{{{{ nested }}}}\",\n"
            ),
        );
        let others = nested.object.partials.iter().filter(
            |it| !matches!(&it.value, Value::Partial { name, .. } if name.starts_with("Resource/")),
        );
        for leaf in others {
            out.push_str(&conditional(leaf, place, &value_text(leaf, place, "")));
        }
        for member in &nested.object.members {
            self::member(member, place, 2, out);
        }
        out.push_str("}},");
    }
    out.push_str("{% endif %}");
    nested_of(&nested.object, place, out);
}
