use super::*;

#[test]
fn radicale_compiles_and_renders() {
    let package = compiled(&radicale());
    let version = package.versions()[0].clone();
    let parameters = package.validate_parameters(&serde_json::json!({})).unwrap();
    let plan = sample::plan(&package, &version, parameters, Surroundings::Full).unwrap();
    let set = render(&plan).unwrap();
    let names: Vec<_> = set.objects.iter().map(|object| format!("{} {}", object.kind, object.name)).collect();
    assert_eq!(names.len(), 6, "{names:?}");
}
