//! The nearest valid name to one that is not, for "did you mean …".
//!
//! Distance counts insertions, deletions, replacements and swapped neighbours (optimal string
//! alignment); upper and lower case differ by half a step, because that is the likeliest slip.

/// Longer names are never suggested for: they are not slips, and time must stay bounded.
const NAME_BYTES_MAX: usize = 64;

/// The candidate nearest to the name, if one is near enough: within a third of the name's length,
/// and three slips at most. Of equally near ones the first.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return None;
    }
    let limit = 2 * (name.len().div_ceil(3)).min(3);
    candidates
        .into_iter()
        .filter(|it| it.len() <= NAME_BYTES_MAX && it.len().abs_diff(name.len()) * 2 <= limit)
        .map(|candidate| (half_steps(name.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

type Row = [usize; NAME_BYTES_MAX + 1];

fn half_steps(from: &[u8], to: &[u8]) -> usize {
    let mut before: Row = [0; NAME_BYTES_MAX + 1];
    let mut above: Row = std::array::from_fn(|column| 2 * column);
    for row in 1..=from.len() {
        let mut current: Row = [0; NAME_BYTES_MAX + 1];
        current[0] = 2 * row;
        for column in 1..=to.len() {
            let (one, other) = (from[row - 1], to[column - 1]);
            let replaced = above[column - 1] + replacement(one, other);
            let shifted = above[column].min(current[column - 1]) + 2;
            let swapped = row > 1 && column > 1 && one == to[column - 2] && from[row - 2] == other;
            let best = replaced.min(shifted);
            current[column] = if swapped {
                best.min(before[column - 2] + 2)
            } else {
                best
            };
        }
        before = above;
        above = current;
    }
    above[to.len()]
}

fn replacement(one: u8, other: u8) -> usize {
    match (one == other, one.eq_ignore_ascii_case(&other)) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_the_name_meant() {
        let names = [
            "birthDate",
            "gender",
            "name",
            "active",
            "photo",
            "address",
            "id",
        ];
        for (slip, expected) in [
            ("birthdate", Some("birthDate")),
            ("brithDate", Some("birthDate")),
            ("birthDat", Some("birthDate")),
            ("dateOfBirth", None),
            ("Name", Some("name")),
            ("nmae", Some("name")),
            ("names", Some("name")),
            ("adress", Some("address")),
            ("ID", Some("id")),
            ("x", None),
            ("", None),
            ("zzzzzz", None),
        ] {
            assert_eq!(nearest(slip, names), expected, "{slip}");
        }
        assert_eq!(nearest(&"name".repeat(1000), names), None);
    }

    #[test]
    fn of_equally_near_names_the_first_wins() {
        assert_eq!(nearest("naame", ["naames", "name"]), Some("naames"));
    }
}
