"""The commands, a module for each group; `cse_client.cse` names them."""
