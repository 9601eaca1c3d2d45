//! The groups of a message as a tree, as its structure says. No segment is lost: one that stands
//! elsewhere than the structure says joins the innermost group that has a place for it, and one that
//! has no place (a Z-segment, a repeat too many) the group that is open where it stands.

use super::structure::{self, Item};
use super::{Segment, leaf};
use crate::value::Arena;

/// A group of segments, or a whole message.
pub(crate) struct Group<'a> {
    pub(crate) name: &'a str,
    /// The segments of the group itself, by name.
    segments: &'a [(&'a str, &'a [&'a Segment<'a>])],
    /// The groups in it, by name.
    groups: &'a [(&'a str, &'a [&'a Group<'a>])],
    /// All segments, those of the groups in it too, in their order.
    pub(crate) all: &'a [&'a Segment<'a>],
}

impl<'a> Group<'a> {
    /// The segments of that name that belong to no group inside.
    pub(crate) fn segments(&self, name: &str) -> &'a [&'a Segment<'a>] {
        let found = self.segments.iter().find(|it| it.0 == name);
        found.map_or(&[], |it| it.1)
    }

    /// The groups of that name.
    pub(crate) fn groups(&self, name: &str) -> &'a [&'a Group<'a>] {
        let found = self.groups.iter().find(|it| it.0 == name);
        found.map_or(&[], |it| it.1)
    }
}

/// A group that is being filled.
struct Node<'a> {
    name: &'a str,
    segments: Vec<&'a Segment<'a>>,
    groups: Vec<usize>,
    /// Where its segments begin and end in the message.
    from: usize,
    to: usize,
}

/// An open group: its places, which of them was filled last, and the node.
struct Open {
    items: &'static [Item],
    at: Option<usize>,
    node: usize,
}

/// How strictly a place is searched.
#[derive(Clone, Copy)]
enum Search {
    /// What the structure says comes next.
    Next,
    /// A place before that is still empty, or that repeats.
    Before,
    /// A group further on, even if what begins it is missing.
    Inside,
}

struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    open: Vec<Open>,
}

/// The tree of a message; without a structure all segments stand side by side.
pub(super) fn tree<'a>(
    segments: &'a [&'a Segment<'a>],
    arena: &'a Arena,
) -> (&'static str, &'a Group<'a>) {
    let header = segments[0];
    let part = |at: usize| leaf(header, 9, at);
    let found = structure::find(part(1), part(2), part(3));
    let (name, items) = found.map_or(("", &[][..]), |(name, item)| (name, &item.items[..]));
    let mut tree = Tree {
        nodes: Vec::new(),
        open: Vec::new(),
    };
    tree.begin("", items, 0);
    for (at, segment) in segments.iter().enumerate() {
        let found = [Search::Next, Search::Before, Search::Inside]
            .into_iter()
            .any(|search| tree.place(segment.name, search, at));
        segment.is_expected.set(found);
        tree.push(segment, at);
    }
    (name, tree.finish(0, segments, arena))
}

impl<'a> Tree<'a> {
    fn begin(&mut self, name: &'a str, items: &'static [Item], from: usize) {
        let node = self.nodes.len();
        self.nodes.push(Node {
            name,
            segments: Vec::new(),
            groups: Vec::new(),
            from,
            to: from,
        });
        if let Some(outer) = self.open.last() {
            self.nodes[outer.node].groups.push(node);
        }
        self.open.push(Open {
            items,
            at: None,
            node,
        });
    }

    /// Opens and closes groups so that the innermost is that of the segment.
    fn place(&mut self, name: &str, search: Search, from: usize) -> bool {
        for level in (0..self.open.len()).rev() {
            if let Some(at) = self.found(level, name, search) {
                self.open.truncate(level + 1);
                self.descend(at, name, search, from);
                return true;
            }
        }
        false
    }

    fn found(&self, level: usize, name: &str, search: Search) -> Option<usize> {
        let Open { items, at, node } = &self.open[level];
        let free = |it: usize| *at != Some(it) || items[it].repeats;
        let mut after = (at.unwrap_or(0)..items.len()).filter(|it| free(*it));
        match search {
            Search::Next => {
                after.find(|it| items[*it].is_segment(name) || items[*it].is_group_begun_by(name))
            }
            Search::Before => {
                let is_there = || self.nodes[*node].segments.iter().any(|it| it.name == name);
                let fits = |it: &Item| it.is_segment(name) && (it.repeats || !is_there());
                items.iter().position(fits)
            }
            Search::Inside => after.find(|it| items[*it].is_group_with(name)),
        }
    }

    fn descend(&mut self, at: usize, name: &str, search: Search, from: usize) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let item = &open.items[at];
        // What stands out of order does not move the place where the group is.
        open.at = open.at.max(Some(at));
        if item.items.is_empty() {
            return;
        }
        self.begin(item.names[0], &item.items, from);
        let level = self.open.len() - 1;
        let inner = self.found(level, name, Search::Next);
        if let Some(at) = inner.or_else(|| self.found(level, name, search)) {
            self.descend(at, name, search, from);
        }
    }

    fn push(&mut self, segment: &'a Segment<'a>, at: usize) {
        for open in &self.open {
            self.nodes[open.node].to = at + 1;
        }
        if let Some(innermost) = self.open.last() {
            self.nodes[innermost.node].segments.push(segment);
        }
    }

    fn finish(&self, node: usize, all: &'a [&'a Segment<'a>], arena: &'a Arena) -> &'a Group<'a> {
        let node = &self.nodes[node];
        let groups: Vec<&'a Group<'a>> = node
            .groups
            .iter()
            .map(|it| self.finish(*it, all, arena))
            .collect();
        arena.alloc(Group {
            name: node.name,
            segments: by_name(&node.segments, |it| it.name, arena),
            groups: by_name(&groups, |it| it.name, arena),
            all: &all[node.from..node.to],
        })
    }
}

/// Puts things of one name together, in the order in which the names come.
fn by_name<'a, T>(
    things: &[&'a T],
    name: impl Fn(&'a T) -> &'a str,
    arena: &'a Arena,
) -> &'a [(&'a str, &'a [&'a T])] {
    let mut found: Vec<(&'a str, Vec<&'a T>)> = Vec::new();
    for thing in things {
        let name = name(thing);
        match found.iter_mut().find(|it| it.0 == name) {
            Some((_, of_name)) => of_name.push(thing),
            None => found.push((name, vec![thing])),
        }
    }
    let found = found
        .iter()
        .map(|(name, of_name)| (*name, &*arena.alloc_slice_copy(of_name)));
    arena.alloc_slice_fill_iter(found.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::budget::Budgets;

    fn show(group: &Group<'_>, depth: usize, into: &mut String) {
        for (name, segments) in group.segments {
            let expected = segments.iter().all(|it| it.is_expected.get());
            let count = segments.len();
            let mark = if expected { "" } else { " !" };
            writeln!(into, "{:depth$}{name} {count}{mark}", "").unwrap();
        }
        for (name, groups) in group.groups {
            for group in *groups {
                writeln!(into, "{:depth$}{name}", "").unwrap();
                show(group, depth + 2, into);
            }
        }
    }

    fn check(event: &str, names: &str, expected: &Expect) {
        let arena = Arena::new();
        let lines: Vec<String> = names.split(' ').map(|it| format!("{it}|1")).collect();
        let text = format!("MSH|^~\\&|||||||{event}\r{}", lines.join("\r"));
        let message = super::super::read_strict(&text, &Budgets::default(), &arena).unwrap();
        let mut shown = String::new();
        show(message.root, 0, &mut shown);
        expected.assert_eq(&shown);
    }

    #[test]
    fn results_stay_with_their_order() {
        check(
            "ORU^R01",
            "PID PV1 ORC OBR NTE OBX NTE NTE OBX SPM OBX NTE ZZZ OBR OBX OBX",
            &expect![[r#"
                MSH 1
                PATIENT_RESULT
                  PATIENT
                    PID 1
                    VISIT
                      PV1 1
                  ORDER_OBSERVATION
                    OBR 1
                    NTE 2
                    ZZZ 1 !
                    COMMON_ORDER
                      ORC 1
                    OBSERVATION
                      OBX 1
                      NTE 2
                    OBSERVATION
                      OBX 1
                    SPECIMEN
                      SPM 1
                      SPECIMEN_OBSERVATION
                        OBX 1
                  ORDER_OBSERVATION
                    OBR 1
                    OBSERVATION
                      OBX 1
                    OBSERVATION
                      OBX 1
            "#]],
        );
    }

    #[test]
    fn orders_without_orc_are_orders() {
        check(
            "ORM^O01^ORM_O01",
            "PID ORC OBR NTE OBR OBX NTE ORC RXO",
            &expect![[r#"
                MSH 1
                PATIENT
                  PID 1
                ORDER
                  ORC 1
                  ORDER_DETAIL
                    OBR 1
                    NTE 1
                ORDER
                  ORDER_DETAIL
                    OBR 1
                    OBSERVATION
                      OBX 1
                      NTE 1
                ORDER
                  ORC 1
                  ORDER_DETAIL
                    RXO 1
            "#]],
        );
    }

    #[test]
    fn segments_out_of_place_are_kept() {
        check(
            "ADT^A04",
            "EVN PID PV1 NK1 IN1 ZIN IN2 IAM IN1 PID",
            &expect![[r#"
                MSH 1
                EVN 1
                PID 1
                PV1 1
                NK1 1
                INSURANCE
                  IN1 1
                  ZIN 1 !
                  IN2 1
                  IAM 1 !
                INSURANCE
                  IN1 1
                  PID 1 !
            "#]],
        );
        check(
            "QBP^Q11",
            "QPD RCP",
            &expect![[r#"
            MSH 1 !
            QPD 1 !
            RCP 1 !
        "#]],
        );
    }
}
