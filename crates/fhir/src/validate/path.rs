//! Where a walk is, printed as the FHIRPath of OperationOutcome.issue.expression.

use std::fmt::Write;

/// The steps from a resource to the element that is looked at. Steps are names of the definitions
/// and indices, so walking allocates nothing but the stack itself.
pub(super) struct Path {
    root: String,
    steps: Vec<Step>,
}

#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    index: Option<usize>,
}

impl Path {
    /// A path that starts at that location; an empty one is named by [`Path::name_root`].
    pub(super) fn new(root: &str) -> Self {
        Self {
            root: root.to_owned(),
            steps: Vec::with_capacity(32),
        }
    }

    /// Gives the start its name, unless it has one.
    pub(super) fn name_root(&mut self, name: &str) {
        if self.root.is_empty() {
            name.clone_into(&mut self.root);
        }
    }

    pub(super) fn push(&mut self, name: &'static str) {
        self.steps.push(Step { name, index: None });
    }

    /// Moves the last step to an item of its array.
    pub(super) fn index(&mut self, index: Option<usize>) {
        if let Some(step) = self.steps.last_mut() {
            step.index = index;
        }
    }

    pub(super) fn pop(&mut self) {
        self.steps.pop();
    }

    pub(super) fn depth(&self) -> usize {
        self.steps.len()
    }

    /// `Patient.name[0].given[1]`; a choice has its name without a type, as in FHIRPath.
    pub(super) fn print(&self) -> String {
        let root = if self.root.is_empty() {
            "Resource"
        } else {
            &self.root
        };
        let mut text = root.to_owned();
        for step in &self.steps {
            text.push('.');
            text.push_str(step.name);
            if let Some(index) = step.index {
                write!(text, "[{index}]").expect("writing to a string cannot fail");
            }
        }
        text
    }
}
