//! The rows of the guide's tables, and the deviations from them that are written by hand.

use anyhow::{Result, ensure};

/// A row: a field, when it is mapped, to which element and how.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) map: String,
    /// `PID-5`
    pub(super) field: String,
    pub(super) name: String,
    /// The data type of the field.
    pub(super) data_type: String,
    /// Whether the field repeats.
    pub(super) repeats: bool,
    pub(super) condition: String,
    /// The condition in words.
    pub(super) narrative: String,
    pub(super) attribute: String,
    /// Of data types: `CX[Identifier]`.
    pub(super) mapping: String,
    pub(super) vocabulary: String,
    pub(super) assignment: String,
    /// Why the row is not taken as it stands.
    pub(super) deviation: Option<String>,
}

impl Row {
    /// Reads a table: two rows of headings, then the rows.
    pub(super) fn read(map: &str, cells: &[Vec<String>]) -> Result<Vec<Self>> {
        let mut rows = Vec::new();
        for row in cells.iter().skip(2) {
            let cell = |at: usize| {
                row.get(at)
                    .map_or("", |it| it.trim())
                    .replace(['\n', '\t'], " ")
            };
            if cell(1).is_empty() {
                continue;
            }
            rows.push(Self {
                map: map.to_owned(),
                field: cell(1).replace('.', "-"),
                name: cell(2),
                data_type: cell(3),
                repeats: !matches!(cell(5).as_str(), "" | "0" | "1"),
                condition: cell(6),
                narrative: cell(8),
                attribute: cell(9),
                mapping: cell(14),
                vocabulary: cell(15),
                assignment: cell(16),
                deviation: None,
            });
        }
        ensure!(!rows.is_empty(), "the table {map} has no rows");
        Ok(rows)
    }

    /// The number of the field, if it is one of the map's segment.
    pub(super) fn number(&self) -> Option<usize> {
        let (segment, number) = self.field.split_once('-')?;
        self.map.starts_with(segment).then(|| number.parse().ok())?
    }
}

/// Deviations by map, field and attribute; `*` is any.
pub(super) struct Deviations {
    rows: Vec<[String; 5]>,
}

impl Deviations {
    /// Lines of map, field, attribute, what to do instead (`-` for nothing, `attribute`,
    /// `mapping X`, `codes X`, `constant X`, `when X`, `and X`), and why.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut rows = Vec::new();
        for line in text.lines().skip(1).filter(|it| !it.is_empty()) {
            let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
            let Ok(cells) = <[String; 5]>::try_from(cells) else {
                anyhow::bail!("a deviation has five cells: {line}");
            };
            rows.push(cells);
        }
        Ok(Self { rows })
    }

    /// The row as it is taken.
    pub(super) fn apply(&self, mut row: Row) -> Row {
        let fits = |pattern: &str, text: &str| pattern == "*" || pattern == text;
        // The attribute alone, or with the condition of one of several rows of it.
        let original = row.attribute.clone();
        let with_condition = format!("{} {}", row.attribute, row.condition);
        for [map, field, attribute, instead, why] in &self.rows {
            let is_this = fits(map, &row.map)
                && fits(field, &row.field)
                && (fits(attribute, &original) || *attribute == with_condition);
            if !is_this {
                continue;
            }
            if let Some(mapping) = instead.strip_prefix("mapping ") {
                mapping.clone_into(&mut row.mapping);
            } else if let Some(vocabulary) = instead.strip_prefix("codes ") {
                vocabulary.clone_into(&mut row.vocabulary);
            } else if let Some(constant) = instead.strip_prefix("constant ") {
                row.assignment = format!("\"{constant}\"");
            } else if let Some(condition) = instead.strip_prefix("when ") {
                condition.clone_into(&mut row.condition);
            } else if let Some(condition) = instead.strip_prefix("and ") {
                let own = row.condition.trim_start_matches("IF ");
                row.condition = format!("IF ({own}) AND {condition}");
            } else if instead == "-" {
                row.deviation = Some(why.clone());
            } else {
                instead.clone_into(&mut row.attribute);
            }
        }
        row
    }
}
