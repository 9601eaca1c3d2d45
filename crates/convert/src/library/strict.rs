//! What must be right in a strict library before it converts anything: templates, parameters,
//! variables, code maps and names of segments are all there.

use super::{Finding, Library, Processor};
use crate::data::hl7v2::structure;
use crate::filter::types::{HL7V2_TYPES, types};
use crate::template::condition::{Comparison, Condition, Right};
use crate::template::expression::{Call, Chain, Operand, Part, Path, Root};
use crate::template::syntax::{Include, Node, NodeKind, Offset, Test};
use crate::template::{NameId, SyntaxFault, Template};

/// What every template sees.
pub(super) const GLOBALS: &[&str] = &["message", "structure", "source", "ids", "msg"];

/// Properties of elements and groups; all else in a path is a segment, a group or a number.
const PROPERTIES: &[&str] = &[
    "all",
    "name",
    "text",
    "size",
    "length",
    "is_null",
    "position",
    "is_expected",
    "Key",
    "Value",
    "first",
    "last",
];

/// Everything that is wrong, in all templates.
pub(super) fn check(library: &Library) -> Vec<Finding> {
    let mut findings = Vec::new();
    for template in &library.templates {
        for fault in &template.faults {
            findings.push(finding(template, fault.at, fault.what.clone()));
        }
        match &template.body {
            Err(SyntaxFault { at, what }) => findings.push(finding(template, *at, what.clone())),
            Ok(nodes) => {
                let globals = GLOBALS.iter().filter_map(|it| library.names.find(it));
                let parameters = template.parameters.iter().map(|it| it.name);
                let mut walk = Walk {
                    library,
                    template,
                    findings: Vec::new(),
                    known: globals.chain(parameters).collect(),
                    loops: 0,
                    at: 0,
                };
                walk.nodes(nodes);
                findings.append(&mut walk.findings);
            }
        }
    }
    findings
}

fn finding(template: &Template, at: u32, what: String) -> Finding {
    let place = template.place(at);
    Finding::of_file(&place.file, place.line, place.column, what)
}

struct Walk<'l> {
    library: &'l Library,
    template: &'l Template,
    findings: Vec<Finding>,
    /// The variables that there are here.
    known: Vec<NameId>,
    /// How many loops are around.
    loops: usize,
    at: u32,
}

impl<'l> Walk<'l> {
    fn find(&mut self, what: String) {
        self.findings.push(finding(self.template, self.at, what));
    }

    fn nodes(&mut self, nodes: &'l [Node]) {
        for node in nodes {
            self.at = node.at;
            self.node(&node.kind);
        }
    }

    fn node(&mut self, node: &'l NodeKind) {
        match node {
            NodeKind::Output(chain) => self.chain(chain),
            NodeKind::Assign { to, value } => {
                self.chain(value);
                self.assigned(*to);
            }
            NodeKind::Capture { to, body } => {
                self.nodes(body);
                self.assigned(*to);
            }
            NodeKind::Include(include) => self.include(include),
            NodeKind::If(branches) => {
                for branch in branches {
                    if let Test::If(condition) = &branch.test {
                        self.condition(condition);
                    }
                    self.nodes(&branch.body);
                }
            }
            NodeKind::Case(case) => {
                self.operand(&case.subject);
                for (values, body) in &case.branches {
                    values.iter().flatten().for_each(|it| self.operand(it));
                    self.nodes(body);
                }
            }
            NodeKind::For(header) => {
                self.operand(&header.collection);
                header.limit.iter().for_each(|it| self.operand(it));
                if let Some(Offset::At(operand)) = &header.offset {
                    self.operand(operand);
                }
                self.loop_(header.variable, &header.body);
                self.nodes(&header.otherwise);
            }
            _ => {}
        }
    }

    /// The variable of a loop is there in its body, and must not be one that is there outside.
    fn loop_(&mut self, variable: NameId, body: &'l [Node]) {
        if self.known.contains(&variable) {
            let name = self.library.names.text(variable);
            self.find(format!("`{name}` is a variable here already"));
        }
        self.known.push(variable);
        self.loops += 1;
        self.nodes(body);
        self.loops -= 1;
        self.known.retain(|it| *it != variable);
    }

    fn assigned(&mut self, to: NameId) {
        let is_global = |it: &&str| self.library.names.find(it) == Some(to);
        if GLOBALS.iter().any(is_global) {
            let name = self.library.names.text(to);
            self.find(format!("`{name}` is given and cannot be assigned"));
        }
        if !self.known.contains(&to) {
            self.known.push(to);
        }
    }

    fn include(&mut self, include: &'l Include) {
        include.attributes.iter().for_each(|it| self.operand(&it.1));
        let Operand::Text(name) = &include.template else {
            return;
        };
        let Some(template) = self.library.partial(name) else {
            let nearest = self.library.nearest(name);
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            return self.find(format!("the library has no template `{name}`{hint}"));
        };
        let given = |it: NameId| include.attributes.iter().any(|(name, _)| *name == it);
        for parameter in &template.parameters {
            if !parameter.is_optional && !given(parameter.name) {
                let parameter = &parameter.text;
                self.find(format!(
                    "the parameter `{parameter}` of `{name}` is not given"
                ));
            }
        }
        for (given, _) in &include.attributes {
            if template.parameters.iter().all(|it| it.name != *given) {
                let given = self.library.names.text(*given);
                let known = template.parameters.iter().map(|it| &*it.text);
                let hint = hint(given, known);
                self.find(format!("`{name}` has no parameter `{given}`{hint}"));
            }
        }
    }

    fn chain(&mut self, chain: &'l Chain) {
        self.operand(&chain.operand);
        for call in &chain.filters {
            call.arguments.iter().for_each(|it| self.operand(it));
            self.call(call);
        }
    }

    fn call(&mut self, call: &'l Call) {
        let Some(Operand::Text(name)) = call.arguments.first() else {
            return;
        };
        match &*call.name {
            "as" if types().all(|it| it != &**name) => {
                let hint = hint(name, types());
                self.find(format!("`{name}` is no type of FHIR{hint}"));
            }
            "as_hl7v2" if !HL7V2_TYPES.contains(&&**name) => {
                let hint = hint(name, HL7V2_TYPES.iter().copied());
                self.find(format!("`{name}` is no type that `as_hl7v2` writes{hint}"));
            }
            "code_map" if !self.library.code_maps.names().any(|it| it == &**name) => {
                let mut maps: Vec<&str> = self.library.code_maps.names().collect();
                maps.sort_unstable();
                let hint = hint(name, maps);
                self.find(format!("the library maps no codes as `{name}`{hint}"));
            }
            _ => {}
        }
    }

    fn condition(&mut self, condition: &'l Condition) {
        match condition {
            Condition::Is(comparison) => self.comparison(comparison),
            Condition::Not(inner) => self.condition(inner),
            Condition::And(both) | Condition::Or(both) => {
                self.condition(&both.0);
                self.condition(&both.1);
            }
        }
    }

    fn comparison(&mut self, comparison: &'l Comparison) {
        self.operand(&comparison.left);
        match &comparison.right {
            Right::True | Right::Ignored(_) | Right::Unknown(_) => {}
            Right::Than(_, right) => self.operand(right),
            Right::OneOf(values) => values.iter().for_each(|it| self.operand(it)),
        }
    }

    fn operand(&mut self, operand: &'l Operand) {
        if let Operand::Path(path) = operand {
            self.path(path);
        }
    }

    fn path(&mut self, path: &'l Path) {
        let Root::Name(root) = &path.root else {
            return;
        };
        let name = self.library.names.text(*root);
        if name.eq_ignore_ascii_case("forloop") {
            if self.loops == 0 {
                self.find("`forloop` is there inside of a loop only".to_owned());
            }
            return;
        }
        if !self.known.contains(root) {
            let known = self.known.iter().map(|it| self.library.names.text(*it));
            let hint = hint(name, known);
            self.find(format!("`{name}` is no variable here{hint}"));
        }
        for part in &path.parts {
            match part {
                Part::Index(operand) => self.operand(operand),
                Part::Name(name, number) if number.is_none() => self.member(name),
                Part::Name(..) => {}
            }
        }
    }

    /// Of a message: a segment, a group or a property.
    fn member(&mut self, name: &str) {
        let is_local = name.starts_with('Z');
        if self.library.processor() != Some(Processor::Hl7v2)
            || is_local
            || PROPERTIES.contains(&name)
            || structure::is_known(name)
        {
            return;
        }
        let hint = hint(name, PROPERTIES.iter().copied());
        self.find(format!("`{name}` is no segment, group or property{hint}"));
    }
}

fn hint<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let nearest = fhir::suggest::nearest(name, known);
    nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"))
}
