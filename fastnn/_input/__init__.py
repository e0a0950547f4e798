NUMERIC_KINDS = "fiub"  # of dtypes: real numbers, truth values among them
