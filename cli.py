from gailkit.cli.main import main

main()
