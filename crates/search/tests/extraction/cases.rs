//! Resources made for it, and their entries: `tests/cases/extract/{stu3,r4}/*.{in,out}`.

use std::path::Path;

use expect_test::expect_file;
use fhir::FhirVersion;

use crate::printed;

#[test]
fn resources_have_these_entries() {
    let mut cases = 0;
    for (version, folder) in [(FhirVersion::Stu3, "stu3"), (FhirVersion::R4, "r4")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cases/extract")
            .join(folder);
        for file in crate::data::files(&folder, "in") {
            let document = crate::data::parse(crate::data::read(&file));
            let extracted = crate::given::extracted(version, document.root());
            let expected = file.with_extension("out");
            expect_file![expected].assert_eq(&printed::extracted(&extracted));
            cases += 1;
        }
    }
    println!("isthmus-suite: extraction: {cases} cases");
}
