"""List the training recipes with what their sources reached."""

import shlex


def arguments(parser):
    parser.add_argument("name", nargs="?", metavar="NAME", help="recipe to show in full")


def run(args):
    from keras_ghostnet.cli.tables import new_table
    from keras_ghostnet.console import new_console
    from keras_ghostnet.training import recipes

    if args.name:
        recipe = recipes.get_recipe(args.name)
        print(recipes.documentation(recipe))
        print("\nSettings, as --set takes them:")
        for setting in recipes.list_settings(recipe):
            print(f"  --set {shlex.quote(setting)}")
        return
    table = new_table(names=("recipe", "model"), texts=("published",), figures=("epochs", "batch"))
    for recipe in recipes.RECIPES.values():
        row = (recipe.name, recipe.model, recipe.published, recipe.epochs, recipe.batch_size)
        table.add_row(*map(str, row))
    new_console().print(table)
