//! Everything that is wrong with a library, at once, with file and line: what cannot be read is an
//! error; what DotLiquid takes and nobody can have meant is a warning.

use std::collections::{HashMap, HashSet};

use super::Library;
use crate::template::condition::{Comparison, Condition, Right};
use crate::template::expression::{Call, Chain, Operand, Part, Path, Root};
use crate::template::syntax::{Include, Node, NodeKind, Offset, Test};
use crate::template::{Mode, NameId, Template};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Conversions that come across it fail.
    Error,
    /// It is probably not what was meant.
    Warning,
}

/// Something that is wrong with a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        let (file, line, column) = (&self.file, self.line, self.column);
        write!(f, "{file}:{line}:{column}: {level}: {}", self.what)
    }
}

impl Finding {
    pub(super) fn of_file(file: &str, line: usize, column: usize, what: String) -> Self {
        Self {
            level: Level::Error,
            file: file.to_owned(),
            line,
            column,
            what,
        }
    }
}

impl Library {
    /// What is wrong with the library, by file and line.
    pub fn check(&self) -> Vec<Finding> {
        let mut check = Check {
            library: self,
            findings: self.faults.clone(),
            assigned: Vec::new(),
            read: HashSet::new(),
            named: HashSet::new(),
            unconditional: HashMap::new(),
        };
        for (index, template) in self.templates.iter().enumerate() {
            check.template(index, template);
        }
        check.unused();
        check.cycles();
        check.without_effect();
        let mut findings = check.findings;
        findings.sort_by(|a, b| {
            let key = |it: &Finding| (it.file.clone(), it.line, it.column, it.what.clone());
            key(a).cmp(&key(b))
        });
        findings.dedup();
        findings
    }
}

struct Check<'l> {
    library: &'l Library,
    findings: Vec<Finding>,
    /// Variables that are assigned, with the place.
    assigned: Vec<(NameId, &'l Template, u32)>,
    read: HashSet<NameId>,
    /// Templates that are included by name.
    named: HashSet<&'l str>,
    /// Which templates a template includes without any condition or loop on the way, and where.
    unconditional: HashMap<usize, Vec<(usize, u32)>>,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Here<'l> {
    index: usize,
    template: &'l Template,
    at: u32,
    /// Whether it is always rendered.
    always: bool,
}

impl<'l> Check<'l> {
    fn find(&mut self, level: Level, here: Here<'_>, what: String) {
        let place = here.template.place(here.at);
        self.findings.push(Finding {
            level,
            file: place.file,
            line: place.line,
            column: place.column,
            what,
        });
    }

    fn template(&mut self, index: usize, template: &'l Template) {
        let here = Here {
            index,
            template,
            at: 0,
            always: true,
        };
        match &template.body {
            Ok(nodes) => self.nodes(nodes, here),
            // Strict libraries have been told that.
            Err(_) if self.library.mode == Mode::Strict => {}
            Err(fault) => {
                let here = Here {
                    at: fault.at,
                    ..here
                };
                self.find(Level::Error, here, fault.what.clone());
            }
        }
    }

    fn nodes(&mut self, nodes: &'l [Node], here: Here<'l>) {
        for node in nodes {
            self.node(
                &node.kind,
                Here {
                    at: node.at,
                    ..here
                },
            );
        }
    }

    fn node(&mut self, node: &'l NodeKind, here: Here<'l>) {
        let inside = Here {
            always: false,
            ..here
        };
        match node {
            NodeKind::Output(chain) => self.chain(chain, here),
            NodeKind::Assign { to, value } => {
                self.assigned.push((*to, here.template, here.at));
                self.chain(value, here);
            }
            NodeKind::Capture { to, body } => {
                self.assigned.push((*to, here.template, here.at));
                self.nodes(body, here);
            }
            NodeKind::Evaluate { to, include } => {
                self.assigned.push((*to, here.template, here.at));
                self.include(include, here);
            }
            NodeKind::Include(include) => self.include(include, here),
            NodeKind::If(branches) => {
                for branch in branches {
                    if let Test::If(condition) | Test::Unless(condition) = &branch.test {
                        self.condition(condition, here);
                    }
                    self.nodes(&branch.body, inside);
                }
            }
            NodeKind::Case(case) => {
                self.operand(&case.subject);
                for (values, body) in &case.branches {
                    values.iter().flatten().for_each(|it| self.operand(it));
                    self.nodes(body, inside);
                }
            }
            NodeKind::For(header) | NodeKind::TableRow(header) => {
                self.operand(&header.collection);
                header.limit.iter().for_each(|it| self.operand(it));
                if let Some(Offset::At(operand)) = &header.offset {
                    self.operand(operand);
                }
                self.nodes(&header.body, inside);
                self.nodes(&header.otherwise, inside);
            }
            NodeKind::Cycle { key, values } => {
                self.operand(key);
                for value in values {
                    self.operand(value);
                }
            }
            NodeKind::MergeDiff { subject, body } => {
                self.operand(subject);
                // Nothing is rendered for null, so what is inside may end a recursion.
                self.nodes(body, inside);
            }
            NodeKind::Validate { schema, body } => {
                self.schema(schema, here);
                self.nodes(body, here);
            }
            NodeKind::IfChanged(body) | NodeKind::Block { body, .. } => self.nodes(body, here),
            NodeKind::Extends { base, blocks } => {
                self.named(base, here);
                self.nodes(blocks, here);
            }
            _ => {}
        }
    }

    fn include(&mut self, include: &'l Include, here: Here<'l>) {
        self.named(&include.template, here);
        self.operand(&include.template);
        self.operand(&include.subject);
        include.attributes.iter().for_each(|it| self.operand(&it.1));
    }

    /// A template that is named must be there.
    fn named(&mut self, name: &'l Operand, here: Here<'l>) {
        let Operand::Text(name) = name else {
            return;
        };
        self.named.insert(name);
        match self.library.by_name.get(&**name) {
            Some(included) if here.always => {
                let includes = self.unconditional.entry(here.index).or_default();
                includes.push((*included, here.at));
            }
            Some(_) => {}
            // A root in a folder puts the folder before the name.
            None if self
                .library
                .by_name
                .keys()
                .any(|it| it.ends_with(&format!("/{name}"))) => {}
            // Strict libraries have been told that.
            None if self.library.mode == Mode::Strict => {}
            None => {
                let nearest = self.library.nearest(name);
                let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
                let what = format!("the library has no template `{name}`{hint}");
                self.find(Level::Warning, here, what);
            }
        }
    }

    fn schema(&mut self, name: &'l Operand, here: Here<'l>) {
        if let Operand::Text(name) = name
            && !self.library.schemas.contains_key(&**name)
        {
            let what = format!("the library has no schema `{name}`");
            self.find(Level::Warning, here, what);
        }
    }

    fn chain(&mut self, chain: &'l Chain, here: Here<'l>) {
        self.operand(&chain.operand);
        for call in &chain.filters {
            call.arguments.iter().for_each(|it| self.operand(it));
            self.call(call, here);
        }
    }

    fn call(&mut self, call: &'l Call, here: Here<'l>) {
        let Some(filter) = call.filter else {
            let nearest = fhir::suggest::nearest(&call.name, crate::filter::names());
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what = format!("`{}` is no filter{hint}", call.name);
            return self.find(Level::Warning, here, what);
        };
        if !filter.accepts(call.arguments.len()) {
            self.find(Level::Error, here, filter.fault(call.arguments.len()));
        }
        let first = call.arguments.first();
        match (&*call.name, first) {
            ("batch_render" | "batch_render_parallel", Some(template)) => {
                // A list may be empty.
                let here = Here {
                    always: false,
                    ..here
                };
                self.named(template, here);
            }
            ("get_property", Some(Operand::Text(map))) => self.code_map(map, here),
            _ => {}
        }
    }

    fn code_map(&mut self, name: &str, here: Here<'l>) {
        let mut names: Vec<&str> = self.library.code_maps.names().collect();
        names.sort_unstable();
        if self.library.mode == Mode::Compatible && !names.contains(&name) {
            let nearest = fhir::suggest::nearest(name, names);
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what = format!("the library maps no codes as `{name}`{hint}");
            self.find(Level::Warning, here, what);
        }
    }

    fn condition(&mut self, condition: &'l Condition, here: Here<'l>) {
        let mut condition = condition;
        loop {
            condition = match condition {
                Condition::Is(comparison) => return self.comparison(comparison, here),
                Condition::Not(inner) => inner,
                Condition::And(both) | Condition::Or(both) => {
                    self.condition(&both.0, here);
                    &both.1
                }
            }
        }
    }

    fn comparison(&mut self, comparison: &'l Comparison, here: Here<'l>) {
        self.operand(&comparison.left);
        match &comparison.right {
            Right::True => {}
            Right::Than(_, right) => self.operand(right),
            Right::OneOf(values) => values.iter().for_each(|it| self.operand(it)),
            Right::Ignored(what) => self.find(Level::Warning, here, what.to_string()),
            Right::Unknown(what) => self.find(Level::Error, here, what.to_string()),
        }
    }

    fn operand(&mut self, operand: &'l Operand) {
        match operand {
            Operand::Path(path) => self.path(path),
            Operand::Range(ends) => {
                self.operand(&ends.0);
                self.operand(&ends.1);
            }
            _ => {}
        }
    }

    fn path(&mut self, path: &'l Path) {
        match &path.root {
            Root::Name(name) => {
                self.read.insert(*name);
            }
            Root::Computed(operand) => self.operand(operand),
        }
        for part in &path.parts {
            if let Part::Index(operand) = part {
                self.operand(operand);
            }
        }
    }

    fn unused(&mut self) {
        let unused: Vec<_> = self
            .assigned
            .iter()
            .filter(|it| !self.read.contains(&it.0))
            .collect();
        let unused: Vec<_> = unused.into_iter().map(|it| (it.1, it.2)).collect();
        for (template, at) in unused {
            let here = Here {
                index: 0,
                template,
                at,
                always: true,
            };
            let what = "what is assigned here is never read".to_owned();
            self.find(Level::Warning, here, what);
        }
    }

    /// Templates of an overlay that neither replace one nor are included: misspelt, most likely.
    fn without_effect(&mut self) {
        let Some(overlay) = &self.library.overlay else {
            return;
        };
        for template in &self.library.templates {
            let name = template.file.strip_suffix(".liquid").unwrap_or_default();
            let name = super::include_name(name);
            let is_used = overlay.below.contains(&name) || self.named.contains(&*name);
            if !overlay.files.contains(&template.file) || is_used || !name.contains('/') {
                continue;
            }
            let below = overlay.below.iter().map(String::as_str);
            let nearest = fhir::suggest::nearest(&name, below);
            let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            let what =
                format!("`{name}` replaces no template of the base, and none includes it{hint}");
            self.findings.push(Finding {
                level: Level::Warning,
                ..Finding::of_file(&template.file, 1, 1, what)
            });
        }
    }

    /// Templates that include themselves with nothing on the way that could end it.
    fn cycles(&mut self) {
        for start in 0..self.library.templates.len() {
            let Some(at) = self.way_back(start) else {
                continue;
            };
            let here = Here {
                index: start,
                template: &self.library.templates[start],
                at,
                always: true,
            };
            let what = "the template includes itself without any condition or loop on the way";
            self.find(Level::Error, here, what.to_owned());
        }
    }

    /// Where the way begins that leads back to the template.
    fn way_back(&self, start: usize) -> Option<u32> {
        let includes = self.unconditional.get(&start)?;
        includes
            .iter()
            .find(|it| self.leads_to(it.0, start))
            .map(|it| it.1)
    }

    fn leads_to(&self, from: usize, to: usize) -> bool {
        let (mut open, mut seen) = (vec![from], HashSet::new());
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                let next = self.unconditional.get(&at).into_iter().flatten();
                open.extend(next.map(|it| it.0));
            }
        }
        false
    }
}
