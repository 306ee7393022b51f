"""Read files, images and tables, and store generated splits: helpers that several data sources share."""
