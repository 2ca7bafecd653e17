"""The same variants by groups of the reader's choice: any number of protected attributes, of any number of values, crossed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
import streamlit as st

from fairsal_core.errors import FairsalError
from fairsal_core.faces import FaceDataset, groups_of_faces
from fairsal_core.metrics import LEAST_SHARE
from fairsal_core.results import CLEAN, TREATED, Compared, answers
from fairsal_core.runs import is_example
from fairsal_core.scan import (
    AS_THEY_ARE,
    FEWEST_IN_GROUP,
    POPULATION,
    Decided,
    GroupChanges,
    Groups,
    cells_of_faces,
    compare_groups,
    group_changes,
    groups_by_variant,
    groups_of,
    keep_groups,
    labels_in,
)
from fairsal_core.settings import variant_title
from pages.components.comparison.audit import Audit
from pages.components.comparison.cards import in_words
from pages.components.comparison.cells_chart import cells_chart
from pages.components.comparison.desk import Desk, Entry
from pages.components.comparison.interval_bars import NO_BAR
from pages.components.comparison.stored import Source, predictions_of
from pages.components.shared.data import get_labels
from pages.components.shared.group_tables import choose_view, rates_table, spreads_table
from pages.components.shared.links import begin_with_linked, keep_among, link_choice, write_into_link
from pages.components.shared.table_download import offer_table
from pages.components.shared.told import in_one_sentence
from pages.components.shared.words import plain

PROTECTED = "protected"
_CELLS = ("variant", "group", "value", "low", "high", "n")


@dataclass(frozen=True)
class Grouped:
    """The desk by groups.

    Attributes
    ----------
    desk : Desk
        What lies on it.
    protected : tuple of str
        The attributes that groups are made of.
    faces : FaceDataset
        The judged faces with these attributes, without pixels; the whole set where they stand for a population.
    view : str
        One of VIEWS.
    treated_by : str
        What the test faces were treated by; empty for clean ones.
    """

    desk: Desk
    protected: tuple[str, ...]
    faces: FaceDataset
    view: str = AS_THEY_ARE
    treated_by: str = ""

    @cached_property
    def key(self) -> tuple[object, ...]:
        """What tells these groups from others, for caches."""
        columns = list(dict.fromkeys(self.faces.column_of(each) for each in self.protected))
        labels = pd.util.hash_pandas_object(self.faces.attributes[columns].astype(str))
        return self.protected, self.view, self.treated_by, int(labels.sum())

    def of(self, entry: Entry) -> Groups:
        """Return the groups under a variant, over all its seeds."""
        return _groups(entry.source, self.desk.audit.target, self.key, self)

    def changes(self, entry: Entry) -> GroupChanges | None:
        """Return what changed from the reference to a variant; None where the two cannot be paired."""
        return _changes(self.desk.reference.source, entry.source, self.desk.audit.target, self.key, self)

    @property
    def cells(self) -> pd.DataFrame:
        """The cells of all variants on the desk, as `cells_chart` draws them: without those too small to count."""
        parts = [self.of(entry).cells.assign(variant=entry.label) for entry in self.desk.entries]
        together = pd.concat(parts, ignore_index=True)
        return together.loc[together["counted"], list(_CELLS)]

    def worst_under(self, entry: Entry) -> Compared:
        """Return the worst group under the reference and under a variant."""
        return compare_groups(self.of(self.desk.reference), self.of(entry), self.changes(entry))


@st.cache_data(max_entries=256, show_spinner="Counting by group …")
def _groups(source: Source, target: str, key: tuple[object, ...], _grouped: Grouped) -> Groups:
    decided = Decided.of(answers(_said(source, _grouped.treated_by)), source[2], target)
    return groups_of(decided, _grouped.faces, _grouped.protected, _grouped.view)


@st.cache_data(max_entries=256, show_spinner="Comparing face by face …")
def _changes(
    before: Source, after: Source, target: str, key: tuple[object, ...], _grouped: Grouped
) -> GroupChanges | None:
    try:
        parts = _said(before, _grouped.treated_by), _said(after, _grouped.treated_by)
        return group_changes(*parts, target, _grouped.faces, _grouped.protected, _grouped.view)
    except FairsalError:  # other seeds or faces: the numbers stand, their difference cannot be paired
        return None


def _said(source: Source, treated_by: str) -> pd.DataFrame:
    run, changed, variant = source
    rows = predictions_of(run, changed)
    rows = rows[rows["variant"].eq(variant)]
    if not treated_by:
        return rows[rows["evaluation"].eq(CLEAN)]
    return rows[rows["evaluation"].eq(TREATED) & rows["treated_by"].eq(treated_by)]


def _treatments(entry: Entry) -> list[str]:
    run, changed, variant = entry.source
    rows = predictions_of(run, changed)
    return sorted(
        rows.loc[rows["variant"].eq(variant) & rows["evaluation"].eq(TREATED), "treated_by"].astype(str).unique()
    )


def groups_in_link(desk: Desk) -> Grouped | None:
    """Return the desk by the groups that the link names; None where it names none but the confounder, or not such as are there."""
    faces, known = _linked(desk.audit)
    return Grouped(desk, known, faces) if known not in ((), (desk.audit.confounder,)) else None


def _linked(audit: Audit) -> tuple[FaceDataset, tuple[str, ...]]:
    asked = st.query_params.get_all(PROTECTED)
    faces, _ = labels_of(audit)
    options = _options(faces, audit) if asked else []
    return faces, tuple(name for name in asked if name in options)


def cells_in_link(audit: Audit, has: pd.Series) -> pd.Series:
    """Return which cell each test face is in, of the groups that the link names, or else of those with and without the confounder.

    Parameters
    ----------
    audit : Audit
        The run.
    has : Series of bool
        Whether each face has the target; the index holds their names.
    """
    faces, protected = _linked(audit)
    return cells_of_faces(has, audit.target, faces, protected or (audit.confounder,)).of


def choose_protected(audit: Audit) -> tuple[str, ...]:
    """Show the choice of attributes that groups are made of, and return it; without a choice it is the confounder."""
    faces, _ = labels_of(audit)
    return _choose(_options(faces, audit), audit.confounder)


def labels_of(audit: Audit) -> tuple[FaceDataset, str]:
    """Return the judged faces with their labels, and why these are the confounder's alone where they are."""
    faces, lacking = set_of(audit)
    return (faces, lacking) if lacking else (faces.take(faces.names.get_indexer(_told(audit).names)), "")


def set_of(audit: Audit) -> tuple[FaceDataset, str]:
    """Return the whole set that judged faces are of, or these with the confounder alone, and why where it is so."""
    told = _told(audit)
    try:
        faces = get_labels(str(audit.run.config["data"]))
        labels = _as_told(faces, audit.confounder, told.attributes[audit.confounder])
    except (FairsalError, OSError) as error:
        return told, f"Of these faces only the confounder is known: {error}"
    if labels is None:
        return told, "Of these faces only the confounder is known: some of them are not in their set any more."
    attributes = faces.attributes.assign(**{audit.confounder: labels})
    return FaceDataset(faces.name, faces.root, faces.image_folder, attributes, faces.split), ""


def _as_told(faces: FaceDataset, confounder: str, told: pd.Series) -> pd.Series | None:
    """Return the confounder's labels of a whole set, those that a run was told as it was; None if some of its faces are gone.

    What the run was told stands, whatever the set says of it by now.
    """
    codes, groups = groups_of_faces(faces, confounder)
    if not told.index.isin(faces.names).all():
        return None
    if not isinstance(told.dtype, pd.CategoricalDtype):
        of = pd.Series(codes == 0, index=faces.names, dtype="boolean").mask(codes < 0)
        of.loc[told.index] = told
        return of
    kinds = list(dict.fromkeys([*groups, *told.cat.categories]))
    of = faces.attributes[confounder].astype("category").cat.set_categories(kinds)
    of.loc[told.index] = told.cat.set_categories(kinds)
    return of


def _told(audit: Audit) -> FaceDataset:
    predictions = predictions_of(audit.run.path, (audit.run.path / "predictions.parquet").stat().st_mtime)
    return labels_in(predictions, audit.confounder, str(audit.run.config["data"]))


def _options(faces: FaceDataset, audit: Audit) -> list[str]:
    """Return what groups can be made of, the confounder first: columns that vary, each class of the others, not the target."""
    vary = [str(name) for name, column in faces.attributes.items() if column.nunique(dropna=False) > 1]
    options = dict.fromkeys([audit.confounder, *vary, *(name for name in faces.choices if "=" in name)])
    try:
        target = faces.column_of(audit.target)
    except FairsalError:  # predictions alone do not have it
        return list(options)
    return [name for name in options if name == audit.confounder or faces.column_of(name) != target]


@in_one_sentence("The groups")
def groups_section(desk: Desk) -> None:
    """Show how each group fares under reference and candidate, which fares worst, and every rate of every variant by group."""
    faces, lacking = labels_of(desk.audit)
    left, right = st.columns([3, 2])
    with left:
        protected = choose_protected(desk.audit)
    with right:
        view = choose_view()
    if lacking:
        st.caption(plain(lacking))
    elif view == POPULATION:
        faces, _ = set_of(desk.audit)
    treated_by = _choose_treatment(desk)
    if treated_by:
        desk = replace(desk, entries=[entry for entry in desk.entries if treated_by in _treatments(entry)])
    grouped = Grouped(desk, protected, faces, AS_THEY_ARE if lacking and view == POPULATION else view, treated_by)
    judged_on = f"faces treated by {variant_title(treated_by)}" if treated_by else "clean faces"
    _tell_worst(grouped)
    cells = grouped.cells
    if len(cells):
        st.plotly_chart(
            cells_chart(cells, desk.reference.label, desk.candidate.label if desk.candidate else None, judged_on),
            key="group_cells",
            config=NO_BAR,
            alt="Accuracy of each group, reference and candidate, with 95% intervals; the rates are in the table",
        )
    table = group_table(grouped)
    st.dataframe(table, hide_index=True, key="group_rates", alt="Rates by group and variant with 95% intervals")
    note = grouped.of(desk.reference).left_out_note
    st.caption(
        f"Test faces: {plain(judged_on)}; 95% intervals over faces"
        + (" and seeds" if len(desk.audit.run.config["seeds"]) > 1 else "")
        + f". {plain(note)} Too small is less than {LEAST_SHARE:.0%} of the faces, or fewer than {FEWEST_IN_GROUP}. Impact ratio: "
        "the selection rate over that of the most selected group. Δ: change on the same faces and seeds. The worst group was "
        "chosen after looking, which its interval does not account for."
    )
    _offer(grouped, table)


def _choose(options: Sequence[str], confounder: str) -> tuple[str, ...]:
    """Show the choice of attributes, begun by the link, which other tabs read; without a choice it is the confounder."""
    keep_among(PROTECTED, options)
    begin_with_linked(PROTECTED, options)
    chosen = st.multiselect(
        "Protected attributes, crossed",
        options,
        key=PROTECTED,
        placeholder=f"{confounder}, as the run was asked",
        help="Groups are all combinations of their values; unknown values are a group of their own.",
    )
    write_into_link(PROTECTED, chosen)
    return tuple(chosen) or (confounder,)


def _choose_treatment(desk: Desk) -> str:
    """Show the choice of test faces, where those that reference and candidate share were treated too; empty for clean ones."""
    pair = [entry for entry in (desk.reference, desk.candidate) if entry]
    shared = [name for name in _treatments(pair[0]) if all(name in _treatments(entry) for entry in pair)]
    if not shared:
        return ""
    told = {CLEAN: CLEAN, **{name: f"treated by {variant_title(name)}" for name in shared}}
    chosen = link_choice("Judged on faces", list(told), "group_faces", names=told)
    return "" if chosen == CLEAN else chosen


def _tell_worst(grouped: Grouped) -> None:
    if grouped.desk.candidate is None:
        return
    worst = grouped.worst_under(grouped.desk.candidate)
    if worst.candidate is None or worst.reference is None:
        st.info("No group has enough test faces of either label to be called the worst.")
        return
    before, after = worst.reference, worst.candidate
    names = [plain(each.label) for each in (grouped.desk.reference, grouped.desk.candidate) if each]
    change = ""
    if worst.change:
        moved = worst.change
        change = f" Change: {moved.value:+z.2f} [{moved.low:+z.2f}, {moved.high:+z.2f}], {in_words(worst)}."
    st.markdown(
        f"Worst under *{names[1]}*: **{plain(after.about)}**, right in {after.value:.2f} [{after.low:.2f}, {after.high:.2f}], "
        f"n = {after.n:,}. Worst under *{names[0]}*: **{plain(before.about)}**, {before.value:.2f} [{before.low:.2f}, "
        f"{before.high:.2f}], n = {before.n:,}.{change}"
    )


def group_table(grouped: Grouped) -> pd.DataFrame:
    """Return a row for each group and variant, and for what changed to the candidate; at the end how far apart groups are."""
    desk = grouped.desk
    reference = grouped.of(desk.reference)
    parts = []
    for entry in sorted(desk.entries, key=lambda entry: (entry != desk.reference, entry != desk.candidate)):
        groups = grouped.of(entry)
        rates = rates_table(groups.table).assign(faces=groups.sizes)
        apart = spreads_table(groups).T
        parts.append(pd.concat([rates, apart]).assign(variant=entry.label))
        changes = grouped.changes(entry) if entry == desk.candidate else None
        if changes:
            moved = rates_table(changes.table, "+").assign(faces=groups.sizes)
            parts.append(moved.assign(variant=f"Δ {entry.label}"))
    table = pd.concat(parts).rename_axis("group").reset_index()
    places = {name: place for place, name in enumerate(dict.fromkeys([*reference.cells["of"], *table["group"]]))}
    table = table.sort_values("group", key=lambda group: group.map(places), kind="stable", ignore_index=True)
    small = table["group"].isin(reference.left_out)
    table["group"] = table["group"].where(~small, table["group"] + " (too small)")
    table["faces"] = table["faces"].astype("Int64")
    first = ["group", "variant", "faces"]
    return table[[*first, *(name for name in table.columns if name not in first)]].fillna({"impact ratio": "–"})


def _offer(grouped: Grouped, table: pd.DataFrame) -> None:
    audit = grouped.desk.audit
    with st.container(horizontal=True):
        offer_table(table, "These rates", f"groups-{audit.run.id}")
        if is_example(audit.run) or grouped.treated_by:  # verdicts rest on clean faces
            return
        if st.button("Put these groups into the report", icon=":material/description:"):
            predictions = predictions_of(audit.run.path, grouped.desk.reference.source[1])
            reference = grouped.desk.reference.variant
            kept = groups_by_variant(
                predictions, audit.target, grouped.faces, grouped.protected, reference, grouped.view
            )
            keep_groups(audit.run.path, kept)
            st.success("The run's report has these groups now.")
