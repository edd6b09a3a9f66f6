//! The public interface of the library, listed: a change of it is seen in review.
//!
//! `BLESS=1 cargo nextest run --test interface` rewrites `tests/interface/public.txt`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use quote::ToTokens as _;
use syn::{Attribute, Fields, ImplItem, Item, TraitItem, UseTree, Visibility};

/// A module's path, without the crate's name.
type Module = Vec<String>;

/// The library's modules, parsed.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Module, Vec<Item>>,
    /// Inherent methods by the path of their type.
    methods: BTreeMap<Module, Vec<String>>,
    lines: BTreeSet<String>,
    seen: BTreeSet<(String, Module)>,
}

/// Returns whether an item is part of the library that tests are built with.
fn is_built(attributes: &[Attribute]) -> bool {
    !attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        text.contains("cfg") && text.contains("test")
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Tokens in one line, spaced as a reader expects.
fn text(tokens: impl quote::ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    [
        (" :: ", "::"),
        (" < ", "<"),
        (" > ", "> "),
        (" >", ">"),
        ("< ", "<"),
        (" ,", ","),
        (" : ", ": "),
    ]
    .into_iter()
    .chain([("& ", "&"), (" (", "("), ("( ", "("), (" )", ")"), (" ;", ";"), ("' ", "'")])
    .fold(text, |text, (from, to)| text.replace(from, to))
    .trim()
    .to_owned()
}

impl Crate {
    fn read(&mut self, module: Module, file: &Path) {
        let parsed = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
        // A file's children lie in a folder of its name, those of mod.rs and lib.rs beside it.
        let name = file.file_stem().unwrap();
        let folder = file.parent().unwrap();
        let own = name == "mod" || name == "lib";
        let folder = if own { folder.to_owned() } else { folder.join(name) };
        self.add(module, parsed.items, &folder);
    }

    fn add(&mut self, module: Module, items: Vec<Item>, folder: &Path) {
        for item in &items {
            let Item::Mod(child) = item else { continue };
            if !is_built(&child.attrs) {
                continue;
            }
            let name = child.ident.to_string();
            let path = [module.clone(), vec![name.clone()]].concat();
            match &child.content {
                Some((_, inner)) => self.add(path, inner.clone(), &folder.join(&name)),
                None => {
                    let files =
                        [folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs")];
                    let file = files.into_iter().find(|file: &PathBuf| file.exists());
                    // On another system than this it may be elsewhere.
                    if let Some(file) = file {
                        self.read(path, &file);
                    }
                }
            }
        }
        self.modules.insert(module, items);
    }

    /// Returns the path of what a name means in a module: defined there, or imported.
    fn resolve(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let join = |base: &[String]| self.follow([base, rest].concat());
        match first.as_str() {
            "crate" => self.follow(rest.to_vec()),
            "self" => join(module),
            "super" => {
                let rest = [module[..module.len() - 1].to_vec(), rest.to_vec()].concat();
                self.follow(rest)
            }
            name => {
                let here = [module.clone(), vec![name.to_owned()]].concat();
                if self.modules.contains_key(&here) || self.defines(module, name) {
                    return join(&here);
                }
                let imported =
                    self.imports(module).into_iter().find(|(as_name, _)| as_name == name);
                let (_, target) = imported?;
                let target = self.resolve(module, &target)?;
                self.follow([target, rest.to_vec()].concat())
            }
        }
    }

    /// Follows re-exports until a path names a definition or a module.
    fn follow(&self, path: Module) -> Option<Module> {
        if self.modules.contains_key(&path) {
            return Some(path);
        }
        let (name, module) = path.split_last()?;
        let module = self.follow(module.to_vec())?;
        if self.defines(&module, name) {
            return Some([module, vec![name.clone()]].concat());
        }
        if self.modules.contains_key(&[module.clone(), vec![name.clone()]].concat()) {
            return Some([module, vec![name.clone()]].concat());
        }
        let (_, target) = self.imports(&module).into_iter().find(|(as_name, _)| as_name == name)?;
        (target != [name.clone()]).then(|| self.resolve(&module, &target)).flatten()
    }

    fn defines(&self, module: &Module, name: &str) -> bool {
        self.modules
            .get(module)
            .is_some_and(|items| items.iter().any(|i| ident(i).is_some_and(|i| i == name)))
    }

    /// Returns the names a module imports, and the paths they stand for.
    fn imports(&self, module: &Module) -> Vec<(String, Vec<String>)> {
        let mut found = Vec::new();
        for item in self.modules.get(module).into_iter().flatten() {
            if let Item::Use(used) = item {
                leaves(&used.tree, &mut Vec::new(), &mut found);
            }
        }
        found
    }

    /// Gathers the public inherent methods of all types.
    fn gather_methods(&mut self) {
        let mut gathered: BTreeMap<Module, Vec<String>> = BTreeMap::new();
        for (module, items) in &self.modules {
            for item in items {
                let Item::Impl(block) = item else { continue };
                if block.trait_.is_some() || !is_built(&block.attrs) {
                    continue;
                }
                let syn::Type::Path(of) = &*block.self_ty else { continue };
                let path: Vec<String> =
                    of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
                let Some(of) = self.resolve(module, &path) else { continue };
                for item in &block.items {
                    let line = match item {
                        ImplItem::Fn(method) if is_public(&method.vis) => text(&method.sig),
                        ImplItem::Const(constant) if is_public(&constant.vis) => {
                            format!("const {}: {}", constant.ident, text(&constant.ty))
                        }
                        _ => continue,
                    };
                    gathered.entry(of.clone()).or_default().push(line);
                }
            }
        }
        self.methods = gathered;
    }

    /// Lists what is public in a module that is reached by `path`.
    fn list(&mut self, path: &str, module: &Module) {
        if !self.seen.insert((path.to_owned(), module.clone())) {
            return;
        }
        self.lines.insert(format!("{path}: mod"));
        let items = self.modules.get(module).cloned().unwrap_or_default();
        for item in &items {
            match item {
                Item::Mod(child) if is_public(&child.vis) && is_built(&child.attrs) => {
                    let name = child.ident.to_string();
                    let inner = [module.clone(), vec![name.clone()]].concat();
                    self.list(&format!("{path}::{name}"), &inner);
                }
                Item::Use(used) if is_public(&used.vis) && is_built(&used.attrs) => {
                    let mut found = Vec::new();
                    leaves(&used.tree, &mut Vec::new(), &mut found);
                    for (name, target) in found {
                        match self.resolve(module, &target) {
                            Some(target) if self.modules.contains_key(&target) => {
                                self.list(&format!("{path}::{name}"), &target);
                            }
                            Some(target) => self.list_item(path, &name, &target),
                            None => {
                                self.lines
                                    .insert(format!("{path}::{name}: use {}", target.join("::")));
                            }
                        }
                    }
                }
                item if public_ident(item).is_some() => {
                    let name = public_ident(item).unwrap();
                    let target = [module.clone(), vec![name.clone()]].concat();
                    self.list_item(path, &name, &target);
                }
                _ => {}
            }
        }
    }

    fn list_item(&mut self, path: &str, name: &str, target: &Module) {
        let (defined, module) = target.split_last().unwrap();
        let items = self.modules.get(module).cloned().unwrap_or_default();
        let found = items.iter().find(|item| ident(item).is_some_and(|one| one == *defined));
        let path = format!("{path}::{name}");
        let Some(item) = found else { panic!("{path}: {target:?} is not found") };
        let mut lines = vec![declaration(item)];
        lines.extend(members(item));
        lines.extend(self.methods.get(target).cloned().unwrap_or_default());
        self.lines.extend(lines.into_iter().map(|line| format!("{path}: {line}")));
    }
}

/// Name of an item that has one, other than a module or an import.
fn ident(item: &Item) -> Option<String> {
    Some(match item {
        Item::Fn(item) if is_built(&item.attrs) => item.sig.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Const(item) => item.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn public_ident(item: &Item) -> Option<String> {
    let visibility = match item {
        Item::Fn(item) => &item.vis,
        Item::Struct(item) => &item.vis,
        Item::Enum(item) => &item.vis,
        Item::Trait(item) => &item.vis,
        Item::Type(item) => &item.vis,
        Item::Const(item) => &item.vis,
        Item::Static(item) => &item.vis,
        _ => return None,
    };
    ident(item).filter(|_| is_public(visibility))
}

fn declaration(item: &Item) -> String {
    match item {
        Item::Fn(item) => text(&item.sig),
        Item::Struct(item) => format!("struct {}{}", item.ident, text(&item.generics)),
        Item::Enum(item) => format!("enum {}{}", item.ident, text(&item.generics)),
        Item::Trait(item) => {
            format!("trait {}{}: {}", item.ident, text(&item.generics), text(&item.supertraits))
        }
        Item::Type(item) => format!("type {} = {}", item.ident, text(&item.ty)),
        Item::Const(item) => format!("const {}: {}", item.ident, text(&item.ty)),
        Item::Static(item) => format!("static {}: {}", item.ident, text(&item.ty)),
        _ => String::new(),
    }
}

/// Public fields, variants, and what a trait has.
fn members(item: &Item) -> Vec<String> {
    let fields = |fields: &Fields, all: bool| -> Vec<String> {
        let public = fields.iter().filter(|field| all || is_public(&field.vis));
        let named = public.map(|field| match &field.ident {
            Some(name) => format!("{name}: {}", text(&field.ty)),
            None => text(&field.ty),
        });
        named.collect()
    };
    match item {
        Item::Struct(item) => fields(&item.fields, false),
        Item::Enum(item) => {
            let variant = |variant: &syn::Variant| match fields(&variant.fields, true) {
                inner if inner.is_empty() => variant.ident.to_string(),
                inner => format!("{}({})", variant.ident, inner.join(", ")),
            };
            item.variants.iter().map(variant).collect()
        }
        Item::Trait(item) => {
            let member = |member: &TraitItem| match member {
                TraitItem::Fn(method) => Some(text(&method.sig)),
                TraitItem::Type(inner) => Some(format!("type {}", inner.ident)),
                TraitItem::Const(inner) => {
                    Some(format!("const {}: {}", inner.ident, text(&inner.ty)))
                }
                _ => None,
            };
            item.items.iter().filter_map(member).collect()
        }
        _ => Vec::new(),
    }
}

/// Gathers the names that an import brings, each with its path.
fn leaves(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            leaves(&path.tree, before, found);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().unwrap().clone(), before.clone()));
        }
        UseTree::Name(name) => {
            let path = [before.clone(), vec![name.ident.to_string()]].concat();
            found.push((name.ident.to_string(), path));
        }
        UseTree::Rename(name) => {
            let path = [before.clone(), vec![name.ident.to_string()]].concat();
            found.push((name.rename.to_string(), path));
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, found)),
        UseTree::Glob(_) => {}
    }
}

#[test]
fn the_public_interface_is_the_one_that_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut library = Crate::default();
    library.read(Vec::new(), &root.join("src/lib.rs"));
    library.gather_methods();
    library.list("bulla", &Vec::new());
    let now: String = library.lines.iter().map(|line| format!("{line}\n")).collect();
    let stored = root.join("tests/interface/public.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&stored, &now).unwrap();
    }
    let listed = fs::read_to_string(&stored).unwrap();
    let (listed, now): (BTreeSet<&str>, BTreeSet<&str>) =
        (listed.lines().collect(), now.lines().collect());
    let gone: Vec<_> = listed.difference(&now).collect();
    let new: Vec<_> = now.difference(&listed).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "the public interface changed\ngone: {gone:#?}\nnew: {new:#?}\nBLESS=1 stores it"
    );
}
