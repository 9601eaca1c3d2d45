//! Texts as they are compared: without case, accents, punctuation and repeated spaces.

/// Letters with accents, and what stands for them.
const PLAIN: &[(&str, &str)] = &[
    ("àáâãäåāăąǎ", "a"),
    ("çćĉċč", "c"),
    ("ďđð", "d"),
    ("èéêëēĕėęě", "e"),
    ("ĝğġģ", "g"),
    ("ĥħ", "h"),
    ("ìíîïĩīĭįı", "i"),
    ("ĵ", "j"),
    ("ķ", "k"),
    ("ĺļľŀł", "l"),
    ("ñńņň", "n"),
    ("òóôõöøōŏő", "o"),
    ("ŕŗř", "r"),
    ("śŝşšș", "s"),
    ("ţťŧț", "t"),
    ("ùúûüũūŭůűų", "u"),
    ("ŵ", "w"),
    ("ýÿŷ", "y"),
    ("źżž", "z"),
    ("æ", "ae"),
    ("œ", "oe"),
    ("ß", "ss"),
    ("þ", "th"),
];

/// The text as it is compared: lower case, without accents; punctuation and white space between
/// words joined to one space.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut is_apart = false;
    for character in text.chars() {
        if character.is_alphanumeric() {
            if std::mem::take(&mut is_apart) && !folded.is_empty() {
                folded.push(' ');
            }
            add(character, &mut folded);
        } else if !is_mark(character) {
            is_apart = true;
        }
    }
    folded
}

/// The words of a text, folded.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(' ').filter(|it| !it.is_empty())
}

fn add(character: char, folded: &mut String) {
    if character.is_ascii() {
        return folded.push(character.to_ascii_lowercase());
    }
    for lower in character.to_lowercase().filter(|it| !is_mark(*it)) {
        let plain = PLAIN.iter().find(|it| it.0.contains(lower));
        match plain {
            Some((_, plain)) => folded.push_str(plain),
            None => folded.push(lower),
        }
    }
}

/// Whether it only marks the character before it.
fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_without_case_accents_and_punctuation() {
        for (text, expected) in [
            ("Müller", "muller"),
            ("  O'Brien-Smith,  John ", "o brien smith john"),
            ("Mu\u{308}ller", "muller"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("張伟", "張伟"),
            ("--", ""),
        ] {
            assert_eq!(fold(text), expected, "{text}");
        }
    }
}
