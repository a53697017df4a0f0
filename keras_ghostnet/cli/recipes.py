"""List the training recipes with what their sources reached."""

from rich import box
from rich.console import Console
from rich.table import Table


def arguments(parser):
    parser.add_argument("name", nargs="?", metavar="NAME", help="recipe to show whole")


def run(args):
    import dataclasses

    from keras_ghostnet.training import recipes

    if args.name:
        recipe = recipes.find(args.name)
        print(recipes.documentation(recipe))
        for field in dataclasses.fields(recipe):
            print(f"  {field.name} = {getattr(recipe, field.name)!r}")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("recipe", "model", "published"):
        table.add_column(column)
    for column in ("epochs", "batch"):
        table.add_column(column, justify="right")
    for recipe in recipes.RECIPES.values():
        row = (recipe.name, recipe.model, recipe.published, recipe.epochs, recipe.batch_size)
        table.add_row(*map(str, row))
    Console().print(table)
