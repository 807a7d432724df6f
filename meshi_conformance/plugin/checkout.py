"""Find the suite's configuration where pytest overlooks it; do nothing in any other project.

pytest takes the value of an option that it does not know yet for a path, and looks for the project above it:
`pytest --report-dir /somewhere/else` would miss this checkout. pytest loads this module in every project of the
environment (entry point), so it declares no option: a name that another plugin declares too would end pytest there.
"""

from __future__ import annotations

import copy

import pytest
from _pytest.config.findpaths import determine_setup

OPTIONS = "meshi_conformance.plugin.options"


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Declare the suite's options and look for the project again, where pytest starts in the checkout."""
    from ..contract.contract import root  # loaded only where it is needed: other projects pay nothing

    known = early_config.known_args_namespace
    if known.inifilename or known.rootdir or not early_config.invocation_params.dir.is_relative_to(root()):
        return
    manager = early_config.pluginmanager
    found_by_pytest = {plugin for plugin, _ in manager.list_plugin_distinfo()}
    try:
        manager.import_plugin(OPTIONS)
    except ValueError as problem:
        raise pytest.UsageError(
            f"Another plugin of pytest declares an option of the suite: {problem}. Write the options of the suite as "
            "--name=value, so that pytest finds the suite's configuration first; it leaves such plugins out."
        ) from None
    known = parser.parse_known_args(args, namespace=copy.copy(early_config.option))
    root_folder, file, settings, ignored = determine_setup(
        inifile=None,
        override_ini=known.override_ini,
        args=known.file_or_dir,
        rootdir_cmd_arg=None,
        invocation_dir=early_config.invocation_params.dir,
    )
    if file is None or file == early_config.inipath:
        return
    early_config._rootpath, early_config._inipath = root_folder, file
    early_config._inicfg, early_config._ignored_config_files = settings, ignored
    early_config._inicache.clear()
    added = early_config.getini("addopts")
    for plugin in found_by_pytest:  # the configuration, had pytest found it, would have left them out
        if f"-p{manager.get_name(plugin)}" not in added:
            manager.unregister(plugin)
    args[:] = [*added, *args]
    manager.consider_preparse(args, exclude_only=False)
    early_config.known_args_namespace = parser.parse_known_args(args, namespace=copy.copy(early_config.option))
    early_config.known_args_namespace.confcutdir = str(file.parent)
