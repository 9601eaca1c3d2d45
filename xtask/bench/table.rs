//! The table: one line for each figure, its median and range over all runs, beside the limit.

use std::fmt;

/// A figure of one run.
pub(crate) struct Sample {
    workload: &'static str,
    what: String,
    unit: &'static str,
    ours: f64,
    limit: Option<f64>,
}

impl Sample {
    /// A figure without a limit.
    pub(crate) fn new(
        workload: &'static str,
        what: String,
        unit: &'static str,
        ours: f64,
    ) -> Sample {
        Sample {
            workload,
            what,
            unit,
            ours,
            limit: None,
        }
    }

    /// The same figure of a program that does only the unavoidable work.
    pub(crate) fn beside(self, limit: f64) -> Sample {
        Sample {
            limit: Some(limit),
            ..self
        }
    }
}

/// All figures of all runs, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    workload: &'static str,
    what: String,
    unit: &'static str,
    ours: Vec<f64>,
    limit: Vec<f64>,
}

impl Table {
    /// Takes in the figures of a run.
    pub(crate) fn add(&mut self, samples: Vec<Sample>) {
        for sample in samples {
            let is_same = |it: &&mut Row| {
                it.workload == sample.workload && it.what == sample.what && it.unit == sample.unit
            };
            if let Some(row) = self.rows.iter_mut().find(is_same) {
                row.ours.push(sample.ours);
                row.limit.extend(sample.limit);
            } else {
                self.rows.push(Row {
                    workload: sample.workload,
                    what: sample.what,
                    unit: sample.unit,
                    ours: vec![sample.ours],
                    limit: sample.limit.into_iter().collect(),
                });
            }
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 7] {
        let (ours, limit) = (Spread::of(&self.ours), Spread::of(&self.limit));
        let ratio = ours
            .as_ref()
            .zip(limit.as_ref())
            .map(|(a, b)| figure(a.median / b.median));
        let median = |it: &Option<Spread>| it.as_ref().map(|it| figure(it.median));
        let range = ours
            .as_ref()
            .map(|it| format!("{} … {}", figure(it.low), figure(it.high)));
        [
            self.workload.to_owned(),
            self.what.clone(),
            self.unit.to_owned(),
            median(&ours).unwrap_or_default(),
            range.unwrap_or_default(),
            median(&limit).unwrap_or_default(),
            ratio.unwrap_or_default(),
        ]
    }
}

struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = *sorted.get(sorted.len() / 2)?;
        Some(Spread {
            low: *sorted.first()?,
            median,
            high: *sorted.last()?,
        })
    }
}

/// Three significant digits are more than repeats.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "workload",
            "what",
            "unit",
            "isthmus",
            "low … high",
            "limit",
            "ratio",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        lines.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| {
            lines
                .iter()
                .map(|cells| cells[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for (number, cells) in lines.iter().enumerate() {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "| {} |", padded.collect::<Vec<_>>().join(" | "))?;
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|it| "-".repeat(*it)).collect();
                writeln!(f, "|-{}-|", rules.join("-|-"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Sample, Table};

    #[test]
    fn the_median_of_the_runs_stands_beside_the_limit() {
        let mut table = Table::default();
        for (ours, limit) in [(90.0, 200.0), (70.0, 100.0), (80.0, 150.0)] {
            let read = Sample::new("W6", "read".to_owned(), "requests/s", ours).beside(limit);
            let failed = Sample::new("W1", "failed bundles".to_owned(), "", 0.0);
            table.add(vec![read, failed]);
        }
        expect![[r#"
            | workload | what           | unit       | isthmus | low … high  | limit | ratio |
            |----------|----------------|------------|---------|-------------|-------|-------|
            | W6       | read           | requests/s | 80.0    | 70.0 … 90.0 | 150   | 0.53  |
            | W1       | failed bundles |            | 0       | 0 … 0       |       |       |
        "#]]
        .assert_eq(&table.to_string());
    }
}
